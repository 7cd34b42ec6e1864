"""Looking through a folder: which images it holds, what can be trained on them, and what is wrong with them."""

from __future__ import annotations

import os
import shlex
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from translate.data.folders import check_root, match_pairs
from translate.data.listing import scan, survey
from translate.data.masks import MASK_SUFFIX
from translate.data.report.facts import Facts, Place, look_or_reason, near_duplicates
from translate.data.report.findings import FolderGroup, FolderReport, warn
from translate.data.report.masks import MaskFacts, describe_masks, list_masks, look_at_mask, try_object_crops
from translate.errors import UserError
from translate.models import model_class, suggest_model

_SPLITS = ("train", "val", "valid", "validation", "test")


def inspect_folder(
    root: Path,
    *,
    crop_size: int = 256,
    threads: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> FolderReport:
    """Decode every image in a folder and say what it is good for.

    Args:
        root: folder of a data set, in any layout of `translate.data.folders`.
        crop_size: pixels of the squares that are to be trained on; smaller images are warned of.
        threads: how many decode at a time; None chooses for the machine.
        progress: called with (images done, images in all).
    Raises:
        UserError: the folder is missing, or there are no images in it.
    """
    begin = time.monotonic()
    check_root(root)
    places = sorted(_places(root), key=lambda place: (_rank(place.split), place.split, place.domain, place.folder))
    work = [(place, name) for place in places for name in place.names]
    if not work:
        raise UserError(f"{root} holds no images, nor do its subfolders.")
    masks = {place.folder: list_masks(place) for place in places}
    total, done = len(work) + sum(map(len, masks.values())), 0

    def step() -> None:
        nonlocal done
        done += 1
        if progress is not None:
            progress(done, total)

    report = FolderReport(str(root), crop_size)
    looked_at: dict[Path, list[MaskFacts]] = {}
    with ThreadPoolExecutor(threads or min(16, os.cpu_count() or 1)) as pool:
        results = pool.map(look_or_reason, (place.folder / name for place, name in work))
        for (place, name), result in zip(work, results, strict=True):
            if isinstance(result, Facts):
                place.facts[name] = result
            else:
                report.unreadable.append({"file": _relative(place.folder / name, root), "reason": result})
            step()
        for folder, names in masks.items():
            for path, seen in zip(names, pool.map(partial(look_at_mask, crop_size=crop_size), names), strict=True):
                if isinstance(seen, MaskFacts):
                    looked_at.setdefault(folder, []).append(seen)
                else:
                    report.unreadable.append({"file": _relative(path, root), "reason": seen})
                step()
    with_masks = [place for place in places if masks[place.folder]]
    report.masks = [describe_masks(place, looked_at.get(place.folder, []), root) for place in with_masks]
    _recognise(report, root, places)
    if report.layout == "unpaired":  # the two of a pair show the same share as it is
        training = [
            (group, looked_at.get(place.folder, []))
            for place, group in zip(with_masks, report.masks, strict=True)
            if place.split == places[0].split
        ]
        try_object_crops(training, crop_size)
    report.groups = [_describe(place, root, crop_size) for place in places]
    report.duplicates = _duplicates(root, places)
    report.leaks = _leaks(root, places)
    report.not_images = survey(root).others
    report.warnings = warn(report)
    report.seconds = round(time.monotonic() - begin, 3)
    return report


def _rank(split: str) -> int:
    return _SPLITS.index(split) if split in _SPLITS else len(_SPLITS)


def _relative(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _places(root: Path) -> Iterator[Place]:
    """Every folder that holds images of one split and domain, by the names that `translate.data.folders` knows."""
    folders = _image_folders(root)
    names = {folder.name for folder in folders}
    found = []
    for folder in folders:
        split, domain = folder.name[:-1], folder.name[-1]
        partner = split + {"A": "B", "B": "A"}.get(domain, "")
        inner = {entry.name for entry in _image_folders(folder)}
        if folder.name in ("A", "B"):
            if inner & set(_SPLITS):
                found += [(name, folder.name, folder / name) for name in sorted(inner)]
            else:
                found.append(("train", folder.name, folder))
        elif domain in "AB" and (partner in names or split in _SPLITS):
            found.append((split, domain, folder))
        elif {"A", "B"} <= inner:
            found += [(folder.name, "A", folder / "A"), (folder.name, "B", folder / "B")]
        else:
            found.append((folder.name, "A|B" if folder.name in _SPLITS else "", folder))
    for split, domain, folder in found:
        if listed := scan(folder):
            yield Place(split, domain, folder, listed, {})
    if loose := [name for name in scan(root) if "/" not in name] if not found else []:
        yield Place("", "", root, loose, {})


def _image_folders(root: Path) -> list[Path]:
    """The folders in a folder, sorted; without those of the masks beside another one."""
    folders = sorted(entry for entry in root.iterdir() if entry.is_dir() and not entry.name.startswith((".", "__")))
    of_masks = {f"{folder.name}{MASK_SUFFIX}" for folder in folders}
    return [folder for folder in folders if folder.name not in of_masks]


# ------------------------------------------------------------------------------------------------------------ findings


def _recognise(report: FolderReport, root: Path, places: Sequence[Place]) -> None:
    """Fill in the layout, the model to train, the pairs, and what keeps either from being right."""
    training = [place for place in places if place.split == places[0].split]
    domains = {place.domain: place for place in training}
    if {"A", "B"} <= domains.keys():
        report.layout, report.model = "unpaired", suggest_model(paired=False)
        if _look_paired(domains["A"], domains["B"]):
            report.layout, report.model = "two_folders", suggest_model(paired=True)
            for split in dict.fromkeys(place.split for place in places):
                _pair(
                    report, root, [place for place in places if place.split == split], training=split == places[0].split
                )
    elif "A|B" in domains:
        place = domains["A|B"]
        wide = [fact for fact in place.facts.values() if fact.width >= 1.2 * fact.height]
        if wide and len(wide) >= 0.9 * len(place.facts):
            report.layout, report.model = "side_by_side", suggest_model(paired=True)
            for each in places:
                odd = [(path, fact) for path, fact in each.known() if fact.width % 2 and each.domain == "A|B"]
                report.misaligned += [
                    {"files": [_relative(path, root)], "sizes": [list(fact.size)]} for path, fact in odd
                ]
            report.pairs = sum(fact.width % 2 == 0 for fact in place.facts.values())
        else:
            report.problems.append(
                f"The images in {place.folder} do not look like two side by side; put the domains into "
                f"{place.split}A and {place.split}B."
            )
    elif len(domains) == 1 and (one := next(iter(domains))) in ("A", "B"):
        missing = f"{places[0].split}{'B' if one == 'A' else 'A'}"
        report.problems.append(f"There is {_relative(domains[one].folder, root)}, but not {missing}, the other domain.")
    else:
        names = ", ".join(place.folder.name for place in places[:6])
        report.problems.append(
            f"Which images are A and which are B is not clear from the folders ({names}); name them trainA and trainB, "
            "or put pairs side by side into train."
        )
    if report.without_partner:
        report.problems.append(f"{len(report.without_partner)} images have no partner; complete or remove them.")
    if report.misaligned:
        report.problems.append(f"{len(report.misaligned)} pairs are not two images of one size.")
    if report.model:
        name = root.resolve().name or "run"
        report.command = (
            f"translate train {report.model} --data.root {shlex.quote(str(root))} --data.direction a2b "
            f"--run.dir {shlex.quote(f'runs/{name}')}{_channel_settings(report.model, domains)}"
        )


def _channel_settings(model: str, domains: dict[str, Place]) -> str:
    """Settings of the channels that most images of A and of B have, where they are not those of colour."""
    A, B = (domains.get(name, domains.get("A|B")) for name in ("A", "B"))
    if A is None or B is None:
        return ""
    reads, makes = _channels(A), _channels(B)
    if reads == makes == 3:
        return ""
    needed = model_class(model).for_unequal_channels if reads != makes else {}
    further = "".join(f" --{name} {value}" for name, value in needed.items())
    return f" --model.generator.in_channels {reads} --model.generator.out_channels {makes}{further}"


def _channels(place: Place) -> int:
    """Channels that most images of a domain are learned with: 1 is grey, alpha does not count."""
    kinds = Counter(fact.kind for fact in place.facts.values())
    words = kinds.most_common(1)[0][0].split() if kinds else ["colour"]
    if len(words) > 1 and words[1].startswith("channels"):
        return int(words[0])
    return 1 if words[0].startswith("grey") else 3


def _look_paired(A: Place, B: Place) -> bool:
    """Whether most images have a namesake in the other folder, of the same size: numbered files match by chance."""
    try:
        pairs, _, _ = match_pairs(A.names, B.names)
    except UserError:
        return False
    both = [(A.facts[one], B.facts[other]) for one, other in pairs if one in A.facts and other in B.facts]
    alike = sum(one.size == other.size for one, other in both)
    return len(pairs) >= 0.5 * max(len(A.names), len(B.names)) and alike >= 0.5 * len(both)


def _pair(report: FolderReport, root: Path, places: Sequence[Place], *, training: bool) -> None:
    domains = {place.domain: place for place in places}
    if not {"A", "B"} <= domains.keys():
        return
    A, B = domains["A"], domains["B"]
    try:
        pairs, only_A, only_B = match_pairs(A.names, B.names)
    except UserError as error:
        report.problems.append(str(error))
        return
    report.without_partner += [_relative(A.folder / name, root) for name in only_A]
    report.without_partner += [_relative(B.folder / name, root) for name in only_B]
    if training:
        report.pairs = len(pairs)
    for one, other in pairs:
        if one in A.facts and other in B.facts and A.facts[one].size != B.facts[other].size:
            files = [_relative(A.folder / one, root), _relative(B.folder / other, root)]
            report.misaligned.append({"files": files, "sizes": [list(A.facts[one].size), list(B.facts[other].size)]})


def _describe(place: Place, root: Path, crop_size: int) -> FolderGroup:
    group = FolderGroup(place.split, place.domain, _relative(place.folder, root), len(place.names), len(place.facts))
    if not place.facts:
        return group
    facts = list(place.facts.values())
    halves = 2 if place.domain == "A|B" else 1
    by_area = sorted((fact.size for fact in facts), key=lambda size: size[0] * size[1])
    ratios = sorted(round(width / halves / height, 2) for width, height in by_area)
    group.smallest, group.median, group.largest = (list(by_area[at]) for at in (0, len(facts) // 2, -1))
    group.aspect_ratios = [ratios[0], ratios[len(facts) // 2], ratios[-1]]
    group.different_sizes = len(set(by_area))
    group.kinds = dict(Counter(fact.kind for fact in facts).most_common())
    group.looks_grey = sum(fact.looks_grey for fact in facts)
    group.smaller_than_crop = sum(min(width // halves, height) < crop_size for width, height in by_area)
    return group


def _duplicates(root: Path, places: Sequence[Place]) -> list[list[str]]:
    same: dict[tuple[str, bytes], list[str]] = defaultdict(list)
    for place in places:
        for path, fact in place.known():
            same[place.split, fact.digest].append(_relative(path, root))
    return [files for files in same.values() if len(files) > 1]


def _leaks(root: Path, places: Sequence[Place]) -> list[dict[str, object]]:
    """Pictures of the first split that are also in another one of the same domain, exactly or nearly."""
    leaks: list[dict[str, object]] = []
    for train in places:
        for other in places:
            if train.split != places[0].split or other.split == train.split or other.domain != train.domain:
                continue
            known, judged = train.known(), other.known()
            for one, two in near_duplicates([fact for _, fact in known], [fact for _, fact in judged]):
                exact = known[one][1].digest == judged[two][1].digest
                files = {"train": _relative(known[one][0], root), "other": _relative(judged[two][0], root)}
                leaks.append({**files, "exact": exact})
    return leaks
