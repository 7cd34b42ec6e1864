"""Checkpoints on the Hugging Face Hub: a repository is a checkpoint folder. See docs/architecture.md for the folder.

The Hub's address is $HF_ENDPOINT, the account the one of `hf auth login` or $HF_TOKEN: as with every program of theirs.
"""

from __future__ import annotations

import json
import re
import shutil
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from translate.checkpoints.folder import CARD_FILE, CONFIG_FILE, check_checkpoint, read_config, weights_file
from translate.downloads.archives import readable_size
from translate.downloads.home import home
from translate.errors import UserError

PICTURES = frozenset({".jpeg", ".jpg", ".png", ".webp"})
MAX_BYTES = 3 * 10**9
"""Largest size of a checkpoint that is downloaded, all files together; one of two full U-Nets has 0.44 GB."""
ORIGIN_FILE = "hub.json"
"""In a folder that was pulled: the repository and the commit that it is."""


def push_checkpoint(folder: Path, repository: str, *, private: bool = False) -> str:
    """Put a checkpoint on the Hub, as one commit; the repository is made where it is missing.

    Args:
        folder: a checkpoint folder. What goes up: its config.json, weights, model card, and pictures.
        repository: OWNER/NAME.
        private: whether a new repository is; one that exists stays as it is.
    Returns:
        the address of the repository's page.
    Raises:
        UserError: nobody is logged in, the folder is no whole checkpoint, or the Hub refuses or cannot be reached.
    """
    from huggingface_hub import CommitOperationAdd, HfApi, get_token

    check_checkpoint(folder)
    names = [path.relative_to(folder).as_posix() for path in sorted(folder.rglob("*")) if path.is_file()]
    if get_token() is None:
        raise UserError("Nobody is logged in to the Hugging Face Hub; log in with: hf auth login")
    with _readable_errors(repository):
        api = HfApi()
        page = api.create_repo(repository, private=private or None, exist_ok=True)
        operations = [CommitOperationAdd(name, folder / name) for name in _belonging(folder, names)]
        api.create_commit(repository, operations, commit_message="Upload a checkpoint with translate")
    return str(page)


def pull_checkpoint(repository: str, *, name: str | None = None) -> Path:
    """Get a checkpoint from the Hub; it can be used by its name once it is there as a whole.

    Only config.json, the weights it lists, the model card and pictures are fetched: no code, and nothing to unpickle.

    Args:
        repository: OWNER/NAME, or OWNER/NAME@REVISION with a branch, tag or commit.
        name: what it is called here; NAME where not given.
    Returns:
        the checkpoint folder. One of the same repository is replaced.
    Raises:
        UserError: there is no such repository or revision, it holds no checkpoint of this program or a damaged one, it
            is too large, another checkpoint has the name, or the Hub cannot be reached.
    """
    from huggingface_hub import HfApi, hf_hub_download

    repository, _, revision = repository.partition("@")
    name = name or repository.rpartition("/")[2]
    if not re.fullmatch(r"\w[\w.-]*", name):
        raise UserError(f"A checkpoint cannot be called {name}; use letters, digits, _, - and dots.")
    folder = home() / "checkpoints" / name
    _check_free(folder, repository)
    draft = folder.with_name(f".{name}.{uuid.uuid4().hex[:8]}.unfinished")
    try:
        with _readable_errors(repository, revision):
            about = HfApi().model_info(repository, revision=revision or None, files_metadata=True)
            sizes = {file.rfilename: file.size or 0 for file in about.siblings or ()}
            if CONFIG_FILE not in sizes:
                raise UserError(f"{repository} on the Hub is no checkpoint of this program: it has no {CONFIG_FILE}.")
            hf_hub_download(repository, CONFIG_FILE, revision=about.sha, local_dir=draft)
            wanted = _belonging(draft, sizes)
            total = sum(sizes[file] for file in wanted)
            if total > MAX_BYTES:
                raise UserError(
                    f"{repository} has {readable_size(total)}; at most {readable_size(MAX_BYTES)} are fetched."
                )
            for file in wanted:
                hf_hub_download(repository, file, revision=about.sha, local_dir=draft)
        shutil.rmtree(draft / ".cache", ignore_errors=True)  # the client's own notes
        check_checkpoint(draft)
        (draft / ORIGIN_FILE).write_text(json.dumps({"repository": repository, "commit": about.sha}), encoding="utf-8")
        _put(draft, folder)
    except UserError as error:
        raise UserError(str(error).replace(str(draft), f"{repository} on the Hub")) from error
    except OSError as error:
        raise UserError(f"Cannot write {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    return folder


def _belonging(folder: Path, names: Iterable[str]) -> list[str]:
    """Choose from `names`, relative to the checkpoint folder, the files that a checkpoint is made of.

    Its config.json must be there already. Raises UserError where it cannot be read.
    """
    needed = {CONFIG_FILE, CARD_FILE}
    needed |= {weights_file(folder, direction).name for direction in read_config(folder).generators}
    found = []
    for name in names:
        path = PurePosixPath(name)
        safe = not path.is_absolute() and "\\" not in name and not any(part.startswith(".") for part in path.parts)
        if safe and (name in needed or path.suffix.lower() in PICTURES):
            found.append(name)
    return found


def _check_free(folder: Path, repository: str) -> None:
    """Raise UserError where a checkpoint from somewhere else has the folder."""
    if not folder.exists():
        return
    try:
        origin = json.loads((folder / ORIGIN_FILE).read_text(encoding="utf-8"))["repository"]
    except (OSError, ValueError, LookupError, TypeError):
        origin = None
    if origin != repository:
        raise UserError(f"{folder} holds another checkpoint; delete it, or choose another name with --name.")


def _put(draft: Path, folder: Path) -> None:
    """Move a whole checkpoint to its place; an old one steps aside and is deleted then."""
    aside = folder.with_name(draft.name.replace(".unfinished", ".old"))
    if folder.exists():
        folder.rename(aside)
    draft.rename(folder)
    shutil.rmtree(aside, ignore_errors=True)


@contextmanager
def _readable_errors(repository: str, revision: str = "") -> Iterator[None]:
    """Make sentences of what the Hub's client raises."""
    from huggingface_hub import constants, errors

    # The HTTP library below is another one in each major version of the client; its errors have one base class.
    connection_error: type[Exception] = errors.HfHubHTTPError.__bases__[0]
    try:
        yield
    except errors.HFValidationError as error:
        raise UserError(f"{repository} is no name of a repository on the Hub; it should be OWNER/NAME.") from error
    except errors.LocalTokenNotFoundError as error:
        raise UserError("Nobody is logged in to the Hugging Face Hub; log in with: hf auth login") from error
    except errors.GatedRepoError as error:
        page = f"{constants.ENDPOINT}/{repository}"
        raise UserError(f"{repository} asks for an agreement first: log in and accept it on {page}.") from error
    except errors.RevisionNotFoundError as error:
        raise UserError(f"{repository} has no revision {revision}.") from error
    except errors.RepositoryNotFoundError as error:
        raise UserError(
            f"There is no model {repository} on the Hub, or it is private and you are not logged in: hf auth login"
        ) from error
    except errors.OfflineModeIsEnabled as error:
        raise UserError("The Hub is switched off by HF_HUB_OFFLINE; unset it to reach the Hub.") from error
    except errors.HfHubHTTPError as error:
        code = error.response.status_code
        if code == 401:
            raise UserError("The Hub does not know your token; log in again with: hf auth login") from error
        if code == 403:
            raise UserError(f"Your token may not write to {repository}; log in with one that may.") from error
        raise UserError(f"The Hub refuses {repository}: {error.server_message or error}.") from error
    except (connection_error, errors.LocalEntryNotFoundError) as error:
        raise UserError(f"Cannot reach the Hub at {constants.ENDPOINT}: {error}; check the connection.") from error
