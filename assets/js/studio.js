// What Gradio's page leaves out: arrow keys in tabs and groups of choices, names for panels, the Simple/Advanced switch.
(() => {
  'use strict';
  const KEY = 'studio-advanced';
  const stored = () => { try { return localStorage.getItem(KEY) === '1'; } catch (error) { return false; } };
  const advanced = (on) => {
    document.documentElement.classList.toggle('show-advanced', on);
    try { localStorage.setItem(KEY, on ? '1' : '0'); } catch (error) { /* private windows may refuse; then it is not remembered */ }
  };
  window.studio = { advanced, remembered: () => (stored() ? 'Advanced' : 'Simple') };
  document.documentElement.classList.toggle('show-advanced', stored());

  const STEPS = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };
  const shown = (item) => item.offsetParent !== null && !item.disabled;

  // Arrow keys move within a list of tabs and within a group of radio choices.
  document.addEventListener('keydown', (event) => {
    const target = event.target;
    if (!(target instanceof HTMLElement) || event.altKey || event.ctrlKey || event.metaKey) return;
    const isTab = target.getAttribute('role') === 'tab';
    const isRadio = target.matches('input[type=radio]');
    if (!isTab && !isRadio) return;
    const list = isTab ? target.closest('[role=tablist]') : target.closest('fieldset, [role=radiogroup], .block');
    if (!list) return;
    const items = [...list.querySelectorAll(isTab ? '[role=tab]' : 'input[type=radio]')].filter(shown);
    const at = items.indexOf(target);
    let next = -1;
    if (event.key in STEPS) next = (at + STEPS[event.key] + items.length) % items.length;
    else if (isTab && event.key === 'Home') next = 0;
    else if (isTab && event.key === 'End') next = items.length - 1;
    if (next < 0 || next === at) return;
    event.preventDefault();
    items[next].focus();
    items[next].click();
  });

  // Names for what Gradio leaves without one.
  const name = () => {
    document.querySelectorAll('[role=tablist]').forEach((list) => {
      if (!list.hasAttribute('aria-label')) list.setAttribute('aria-label', window.studioWords.tabs);
    });
    document.querySelectorAll('[role=tabpanel]').forEach((panel) => {
      const tab = panel.id && document.querySelector(`[role=tab][aria-controls="${CSS.escape(panel.id)}"]`);
      if (tab && tab.id && panel.getAttribute('aria-labelledby') !== tab.id) panel.setAttribute('aria-labelledby', tab.id);
    });
  };
  let due = false;
  const soon = () => {
    if (due) return;
    due = true;
    setTimeout(() => { due = false; name(); }, 200);
  };
  const begin = () => { name(); new MutationObserver(soon).observe(document.body, { childList: true, subtree: true }); };
  if (document.body) begin(); else document.addEventListener('DOMContentLoaded', begin);
})();
