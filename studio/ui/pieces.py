"""Small HTML builders. Everything that is not Markup already is escaped, so text of the person can never become markup."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import gradio as gr
from markupsafe import Markup, escape

esc = escape
SIGNS = {"ok": ("✓", "passed"), "warn": ("!", "look at this"), "bad": ("×", "failed"), "info": ("i", "note")}
ICONS = {
    "brand": '<path d="M4 8h20M4 14h20M4 20h20" opacity=".35"/><circle cx="18" cy="8" r="3" fill="var(--paper)"/>'
    '<circle cx="9" cy="14" r="3" fill="var(--paper)"/><circle cx="15" cy="20" r="3" fill="var(--paper)"/>',
    "file": '<path d="M6 2.5h6l4 4v11H6z"/><path d="M12 2.5v4h4M8.500 10.500h5M8.500 13.500h5"/>',
}

# After a notice appears it is brought into view and read out, wherever on the page the button was.
NOTICE_JS = """
watch('value', () => {
  const box = element.querySelector('.notice');
  if (box) { box.scrollIntoView({block: 'center', behavior: 'auto'}); box.focus({preventScroll: true}); }
});
"""

# What was unfolded stays so when the text is drawn anew, at every move of a slider for example.
UNFOLDED_JS = """
let open = [];
element.addEventListener('toggle', () => {
  open = [...element.querySelectorAll('details')].map((item) => item.open);
}, true);
watch('value', () => {
  const now = open;
  element.querySelectorAll('details').forEach((item, at) => { item.open = now[at] || false; });
});
"""


def html(body: Any = "", **about: Any) -> gr.HTML:
    """A gr.HTML without Gradio's prose styles. `body` is Markup, or text that gets escaped."""
    about.setdefault("js_on_load", None)
    return gr.HTML(str(esc(body)), apply_default_css=False, padding=False, container=False, **about)


def show(body: Any, **about: Any) -> dict[str, Any]:
    """The update that puts `body` into an html() component."""
    return gr.update(value=str(esc(body)), **about)


def press_js(elem_id: str) -> str:
    """The script that presses a button as soon as it is there: the one that saves a file appears a moment after the file."""
    return f"""() => {{
  let tries = 0;
  const press = () => {{
    const button = document.querySelector('#{elem_id}');
    if (button) button.click();
    else if (++tries < 40) setTimeout(press, 100);
  }};
  setTimeout(press, 100);
}}"""


def held(value: Any) -> gr.JSON:
    """A note, kept by the page, of what it shows. It comes and goes with what it is about.

    A gr.State changes on the server as soon as a handler ends. When two answers then reach the page in the other order, the
    server takes for shown what is not, and never sends it again.
    """
    return gr.JSON(value, visible=False)


def typed(value: Any) -> str:
    """What the page sent for a text box, without spaces around it; empty for anything that is no text."""
    return value.strip() if isinstance(value, str) else ""


def notice_area() -> gr.HTML:
    """The place of a tab where its failures appear; guarded handlers fill and clear it."""
    return html("", js_on_load=NOTICE_JS, elem_classes="notices")


def join(parts: Iterable[Any], glue: str = "") -> Markup:
    """Pieces one after the other."""
    return Markup(glue).join(parts)


def icon(name: str, box: int = 20) -> Markup:
    """A decorative line drawing."""
    return Markup(f'<svg class="i" viewBox="0 0 {box} {box}" aria-hidden="true">{ICONS[name]}</svg>')


def brand(words: str, here: str) -> Markup:
    """The product's name with the line about this computer."""
    mark_ = Markup(
        '<svg viewBox="0 0 28 28" aria-hidden="true" fill="none" stroke="currentColor" stroke-width="2.2"'
        f' stroke-linecap="round">{ICONS["brand"]}</svg>'
    )
    return Markup('<div class="brand">{}<div><h1>{}</h1><p class="here">{}</p></div></div>').format(mark_, words, here)


def purpose(text: str) -> Markup:
    """The line at the top of a page that says what it is for."""
    return Markup('<p class="purpose">{}</p>').format(text)


def head(title: Any, note: Any = "") -> Markup:
    """A card's title with a short note on the right."""
    return Markup('<div class="card-head"><h2>{}</h2><p>{}</p></div>').format(title, note)


def small(text: Any) -> Markup:
    """A grey line of small text."""
    return Markup('<p class="small muted">{}</p>').format(text)


def facts(pairs: Mapping[str, Any] | Iterable[tuple[str, Any]]) -> Markup:
    """Names and values in two columns; a value that is None or empty is left out."""
    rows = pairs.items() if isinstance(pairs, Mapping) else pairs
    cells = [Markup("<dt>{}</dt><dd>{}</dd>").format(name, value) for name, value in rows if value not in (None, "")]
    return Markup('<dl class="facts">{}</dl>').format(join(cells))


def mark(kind: str = "ok") -> Markup:
    """A round sign with its name for those who do not see it. Kinds: ok, warn, bad, info."""
    sign, word = SIGNS[kind]
    return Markup('<span class="mark {}" role="img" aria-label="{}">{}</span>').format(kind, word, sign)


def checks(rows: Iterable[tuple[str, Any]]) -> Markup:
    """A list of (kind, sentence)."""
    items = [Markup("<li>{}<span>{}</span></li>").format(mark(kind), text) for kind, text in rows]
    return Markup('<ul class="checks">{}</ul>').format(join(items)) if items else Markup("")


def tag(text: Any, kind: str = "") -> Markup:
    """A word in a soft box. Kinds: good, warn, bad or none."""
    return Markup('<span class="tag {}">{}</span>').format(kind, text)


def bar(label: str, parts: Iterable[tuple[float, str]], *, thin: bool = False) -> Markup:
    """A bar of (percent, colour class) parts; `label` says the same in words."""
    cells = join(Markup('<i class="{}" style="width:{}%"></i>').format(cls, round(share, 2)) for share, cls in parts)
    return Markup('<div class="bar {}" role="img" aria-label="{}">{}</div>').format("thin" if thin else "", label, cells)


def legend(items: Iterable[tuple[str, Any, Any]]) -> Markup:
    """What the colours stand for: (colour class or "", strong text, text)."""
    made = []
    for colour, strong, text in items:
        swatch = Markup('<i class="{}"></i>').format(colour) if colour else ""
        made.append(Markup("<span>{}<b>{}</b> {}</span>").format(swatch, strong, text))
    return Markup('<p class="legend">{}</p>').format(join(made))


def table(
    columns: Sequence[Any],
    rows: Iterable[Sequence[Any]],
    *,
    cls: str = "stack",
    classes: Sequence[str] = (),
    caption: str = "",
) -> Markup:
    """A table; on a phone `stack` turns each row into a block labelled by the columns' names."""
    kinds = [*classes, *[""] * len(columns)]
    names = [Markup('<th scope="col" class="{}">{}</th>').format(kinds[at], name) for at, name in enumerate(columns)]
    plain = [Markup(name).striptags() if isinstance(name, Markup) else name for name in columns]
    body = []
    for row in rows:
        cells = [Markup('<td class="{}" data-l="{}">{}</td>').format(kinds[at], plain[at], cell) for at, cell in enumerate(row)]
        body.append(Markup("<tr>{}</tr>").format(join(cells)))
    told = Markup('<caption class="sr">{}</caption>').format(caption) if caption else ""
    return Markup('<table class="{}">{}<thead><tr>{}</tr></thead><tbody>{}</tbody></table>').format(
        cls, told, join(names), join(body)
    )


def notice(title: Any, why: Any = "", fix: Any = "", *, more: Any = "") -> Markup:
    """A failure: what happened, why, what to do. `more` (Markup) goes below."""
    rows = [(name, text) for name, text in (("Why", why), ("What to do", fix)) if text]
    body = Markup("<dl>{}</dl>").format(join(Markup("<dt>{}</dt><dd>{}</dd>").format(*row) for row in rows)) if rows else ""
    return Markup(
        '<div class="notice" role="alert" tabindex="-1"><div class="notice-head">{}'
        '<h2><span class="sr">What happened: </span>{}</h2></div>{}{}</div>'
    ).format(mark("bad"), title, body, more)


def several(title: Any, faults: Sequence[str], fix: Any = "") -> Markup:
    """A failure with a list of reasons."""
    return notice(title, Markup("<ul>{}</ul>").format(join(Markup("<li>{}</li>").format(fault) for fault in faults)), fix)


def waiting(title: Any, text: Any = "", more: Any = "") -> Markup:
    """Something that is on its way: who holds the computer, until when. `more` may be a bar."""
    told = Markup("<p>{}</p>").format(text) if text else ""
    return Markup('<div class="notice wait" role="status"><h2>{}</h2>{}{}</div>').format(title, told, more)


def bubbles(messages: Iterable[Mapping[str, str]], *, limit: int = 4000) -> Markup:
    """A conversation as chat bubbles. Very long texts are cut for the screen only, and it says so."""
    names = {"user": ("user", "Someone asks"), "assistant": ("bot", "The model answers"), "system": ("told", "Told first")}
    made = []
    for message in messages:
        cls, who = names.get(str(message.get("role", "")), ("bot", "Says"))
        made.append(
            Markup('<div class="bubble {}"><span class="sr">{}: </span>{}</div>').format(
                cls, who, lines(short(message.get("content", ""), limit))
            )
        )
    return Markup('<div class="chat">{}</div>').format(join(made))


def tokens(pieces: Iterable[tuple[str, bool]]) -> Markup:
    """The exact pieces the model reads; learned ones are coloured. Invisible space at a piece's start is kept."""
    made = []
    for text, learned in pieces:
        shown = lines(text)
        if not learned:
            made.append(shown)
        elif text.startswith("<|") and text.endswith("|>"):
            made.append(Markup('<mark class="end">{}</mark>').format(shown))
        else:
            made.append(Markup("<mark>{}</mark>").format(shown))
    return Markup('<div class="tokens" tabindex="0" role="region" aria-label="What the model sees">{}</div>').format(join(made))


def lines(text: Any) -> Markup:
    """Text with its line breaks kept."""
    return Markup("<br>").join(str(text).splitlines()) + (Markup("<br>") if str(text).endswith("\n") else "")


def short(text: Any, limit: int = 120) -> str:
    """Text cut to `limit` characters, with a sign where it was cut."""
    whole = str(text)
    return whole if len(whole) <= limit else whole[: limit - 1].rstrip() + "…"


def count(number: int, one: str, many: str = "") -> str:
    """ "1 row", "1,204 rows"."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def duration(seconds: float | None, *, about: bool = True) -> str:
    """Seconds as a person says them: "about 4 min", "under a minute", "about 2.5 h". Empty when unknown."""
    if seconds is None or seconds != seconds or seconds < 0:
        return ""
    if seconds < 50:
        return "under a minute"
    minutes = max(1, round(seconds / 60))
    text = f"{minutes} min" if minutes < 90 else f"{round(minutes / 30) / 2:g} h" if minutes < 600 else f"{round(minutes / 60)} h"
    return f"about {text}" if about else text


def moment(timestamp: float | None) -> str:
    """A point in time: "14:28" today, else "22 Nov, 14:28"."""
    if not timestamp:
        return ""
    then, now = time.localtime(timestamp), time.localtime()
    clock = time.strftime("%H:%M", then)
    if then[:3] == now[:3]:
        return clock
    return (
        f"{then.tm_mday} {time.strftime('%b', then)}, {clock}" if then.tm_year == now.tm_year else time.strftime("%d %b %Y", then)
    )


# ---- layout


def card(*more: str, **about: Any) -> gr.Column:
    """A white card: `with card(): ...`."""
    return gr.Column(elem_classes=["card", *more], min_width=0, **about)


def split(**about: Any) -> gr.Row:
    """Main column and summary side by side; below one another where it is narrow."""
    return gr.Row(elem_classes="split", **about)


def work(**about: Any) -> gr.Column:
    """The main column of cards."""
    return gr.Column(elem_classes="work", min_width=0, **about)


def side(**about: Any) -> gr.Column:
    """The summary card beside the main column."""
    return gr.Column(elem_classes=["side", "card"], min_width=0, **about)


def pair(**about: Any) -> gr.Row:
    """Two controls side by side."""
    return gr.Row(elem_classes="pair", **about)


def buttons(*more: str, **about: Any) -> gr.Row:
    """A row of buttons of their own width."""
    return gr.Row(elem_classes=["buttons", *more], **about)


def next_step(label: str, note: str = "", *, enabled: bool = True, elem_id: str | None = None) -> tuple[gr.HTML, gr.Button]:
    """The page's one primary button, with a grey note to its left. Returns (note, button)."""
    with gr.Row(elem_classes="next"):
        told = html(Markup('<span class="small muted">{}</span>').format(note))
        button = gr.Button(label, variant="primary", interactive=enabled, elem_id=elem_id)
    return told, button


def next_note(text: str) -> dict[str, Any]:
    """The update for next_step()'s note."""
    return show(Markup('<span class="small muted">{}</span>').format(text))
