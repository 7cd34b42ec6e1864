"""Templates: what is a value is escaped, what is HTML already is not."""

from __future__ import annotations

from pathlib import Path

import pytest
from jinja2 import UndefinedError

from translate.pages.fragments import Markup, fragments


@pytest.fixture
def template(tmp_path: Path) -> Path:
    path = tmp_path / "some.html"
    path.write_text('{% macro word(text) %}\n<b title="{{ text }}">{{ text }}</b>\n{% endmacro %}\n')
    return path


def test_a_value_is_escaped_and_html_is_taken_as_it_is(template: Path) -> None:
    render = fragments(template)
    made = render("word", """<i>"'&""")
    assert made == '<b title="&lt;i&gt;&#34;&#39;&amp;">&lt;i&gt;&#34;&#39;&amp;</b>'
    assert isinstance(made, Markup)
    assert render("word", text=Markup("<i>")) == '<b title="<i>"><i></b>'


def test_a_forgotten_value_is_an_error(template: Path) -> None:
    with pytest.raises(UndefinedError):
        fragments(template)("word")
