"""Pages are single files, say what they are given and nothing else."""

import re

import pytest
from jinja2 import UndefinedError

from hrl_core.pages.page import FOLDER, embedded, write_page

TEMPLATE = """{% extends "base.html" %}
{% from "macros.html" import badge, facts, picture, plot, table, video %}
{% block title %}{{ title }}{% endblock %}
{% block main %}
{{ badge(title, true) }}
{{ facts([(title, title)]) }}
{{ table(["name", title], [("whole", "1"), ("  part", title)], numbers=true) }}
{{ table(none, []) }}
{{ picture(address, title) }}
{{ plot(address, title) }}
{{ video("a.mp4", title) }}
{% endblock %}
"""


@pytest.fixture
def template(tmp_path):
    path = tmp_path / "report.html.in"
    path.write_text(TEMPLATE)
    return path


def test_every_macro_escapes_what_it_is_given(template, tmp_path):
    page = tmp_path / "page.html"
    write_page(page, template, title='<b> & "c"', address=embedded(b"png", "image/png"))
    text = page.read_text()
    assert "<b>" not in text and text.count("&lt;b&gt; &amp; ") == 10
    assert '<th scope="row">part</th>' in text and "<p>None.</p>" in text
    assert set(re.findall(r'src="([^"]*)"', text)) == {"data:image/png;base64,cG5n", "a.mp4"}


def test_the_style_sheet_is_in_the_page_and_asks_for_nothing_else(template, tmp_path):
    page = tmp_path / "page.html"
    write_page(page, template, title="t", address="data:")
    style = (FOLDER / "style.css").read_text()
    assert style.strip() in page.read_text()
    assert "url(" not in style and "@import" not in style
    assert "prefers-color-scheme: dark" in style


def test_a_value_that_is_missing_is_an_error(template, tmp_path):
    with pytest.raises(UndefinedError, match="'address' is undefined"):
        write_page(tmp_path / "page.html", template, title="t")
