"""The list of settings that differ from the defaults, each with the way back."""

from __future__ import annotations

from markupsafe import Markup

from studio.presets import Difference
from studio.ui import pieces
from studio.ui import words_model as words

# A press asks for one setting; whoever pressed with the keyboard finds the next button under their fingers.
DIFFERENCES_JS = """
let inside = false;
element.addEventListener('click', ({target}) => {
  const button = target.closest('button[data-setting]');
  if (!button) return;
  inside = true;
  trigger('select', {...button.dataset});
});
watch('value', () => {
  if (!inside || document.activeElement !== document.body) return;
  inside = false;
  const next = element.querySelector('button');
  if (next) next.focus();
});
"""


def title(found: list[Difference]) -> Markup:
    """The card's title, with how many settings differ, where any do."""
    if not found:
        return pieces.head(words.SETTINGS_TITLE)
    count = pieces.count(len(found), "setting")
    return pieces.head(words.SETTINGS_TITLE, words.DIFFER.format(count=count, differ="differs" if len(found) == 1 else "differ"))


def listed(found: list[Difference]) -> Markup:
    """Every difference with the way back."""
    if not found:
        return pieces.small(words.ALL_DEFAULT)
    rows = []
    for item in found:
        why = pieces.small(words.BECAUSE.format(source=item.source)) if item.source else ""
        name = words.BACK_NAMED.format(label=item.label)
        button = Markup('<button type="button" class="btn small" data-setting="{}" aria-label="{}">{}</button>')
        rows.append(
            Markup("<li><div><p>{}</p>{}</div>{}</li>").format(item.sentence, why, button.format(item.name, name, words.BACK))
        )
    return Markup('<ul class="differences">{}</ul>').format(pieces.join(rows))
