// SPDX-License-Identifier: MIT
// What is asked for before something is done: the token, and whether it is meant.

import { useEffect, useRef, useState } from "preact/hooks";
import { setToken } from "./api.js";

function Dialog({ title, onClose, children }) {
  const dialog = useRef();
  useEffect(() => {
    const before = document.activeElement;
    dialog.current.showModal();
    dialog.current.querySelector("[data-first]")?.focus();
    return () => before?.focus?.();
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="dialog-title" onCancel={onClose}>
      <h2 id="dialog-title">{title}</h2>
      {children}
    </dialog>
  );
}

export function TokenDialog({ why, onDone }) {
  const [text, setText] = useState("");
  const submit = (event) => {
    event.preventDefault();
    if (text.trim() === "") return;
    setToken(text.trim());
    onDone(true);
  };
  return (
    <Dialog title="Token" onClose={() => onDone(false)}>
      <form onSubmit={submit}>
        <p id="token-why">{why}</p>
        <label>
          admin.token of this lb
          <input
            type="password"
            autocomplete="off"
            aria-describedby="token-why"
            value={text}
            onInput={(event) => setText(event.currentTarget.value)}
            data-first
          />
        </label>
        <p class="note">Kept in this tab until it is closed.</p>
        <div class="buttons">
          <button type="button" onClick={() => onDone(false)}>
            Cancel
          </button>
          <button type="submit" class="main">
            Continue
          </button>
        </div>
      </form>
    </Dialog>
  );
}

export function ConfirmDialog({ title, text, action, onDone }) {
  return (
    <Dialog title={title} onClose={() => onDone(false)}>
      <p>{text}</p>
      <div class="buttons">
        <button type="button" data-first onClick={() => onDone(false)}>
          Cancel
        </button>
        <button type="button" class="main danger" onClick={() => onDone(true)}>
          {action}
        </button>
      </div>
    </Dialog>
  );
}
