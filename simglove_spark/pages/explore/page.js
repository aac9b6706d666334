"use strict";
// Asks the server and shows its answers. Words are data: they are set as text and never as markup.
(() => {
  const NUMBER = 20;
  const digits = new Intl.NumberFormat("en");
  let language = navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en";
  let facts = null;
  const shown = new Map(); // form id -> how to show its last answer again, in another language

  const element = (id) => document.getElementById(id);
  const say = (name, ...values) => TEXTS[language][name].replace(/\{(\d)\}/g, (_, place) => values[place]);

  function make(name, text, ...children) {
    const made = document.createElement(name);
    if (text !== null) made.textContent = text;
    made.append(...children);
    return made;
  }

  function quiet(text) {
    const made = make("p", text);
    made.className = "quiet";
    return made;
  }

  function warning(text) {
    const made = make("p", text);
    made.className = "warning";
    return made;
  }

  /** A word that asks for itself when it is pressed. */
  function wordButton(word) {
    const button = make("button", null, make("bdi", word));
    button.type = "button";
    button.className = "word";
    button.addEventListener("click", () => {
      element("word-word").value = word;
      element("word").requestSubmit();
      element("word-word").focus();
    });
    return button;
  }

  /** A figure with so many decimals; what is not known is a dash. */
  const decimals = (figure, places) => (figure === null ? "–" : figure.toFixed(places));

  function head(name) {
    const cell = make("th", null, make("bdi", name));
    cell.scope = "col";
    cell.className = "number";
    return cell;
  }

  /** A list of rows [word, figure, ...] under a title; the hint says what the figures are, and heads name their columns. */
  function list(title, hint, heads, rows, places) {
    const body = make("tbody", null, ...rows.map(([word, ...figures]) => {
      const cells = figures.map((figure, column) => {
        const cell = make("td", decimals(figure, places[column]));
        cell.className = "number";
        return cell;
      });
      return make("tr", null, make("td", null, wordButton(word)), ...cells);
    }));
    const above = make("thead", null, make("tr", null, make("td", ""), ...heads.map(head)));
    const content = rows.length ? make("table", null, above, body) : make("p", say("none"));
    return make("div", null, ...(title ? [make("h3", title)] : []), quiet(hint), content);
  }

  function lists(...parts) {
    const made = make("div", null, ...parts);
    made.className = "lists";
    return made;
  }

  function figures(pairs) {
    const made = make("dl", null, ...pairs.map(([name, value]) => make("div", null, make("dt", name), make("dd", value))));
    made.className = "figures";
    return made;
  }

  const evened = () => facts !== null && facts.power !== null && facts.power !== 1;

  const SHOW = {
    word(answer) {
      const hint = evened() ? say("togetherEvened", facts.power) : say("togetherHint");
      const parts = [list(say("similar"), say("similarHint"), [say("cosine")], answer.similar, [3]), list(say("together"), hint, [say("pmi")], answer.together, [2])];
      if (answer.observed) parts.push(list(say("observed"), say("observedHint"), [say("pmi"), "x"], answer.observed, [2, 1]));
      const head = [[say("count"), digits.format(answer.count)], [say("rank"), digits.format(answer.rank)], [say("norm"), answer.norm.toFixed(2)]];
      return [make("h3", null, make("bdi", answer.word)), figures(head), lists(...parts)];
    },
    analogy: (answer) => [lists(list("", say("analogyHint"), [say("cosine")], answer.words, [3]))],
    pair(answer) {
      const inner = evened() ? say("innerEvened", facts.power) : say("inner");
      const head = [[say("predicted"), decimals(answer.predicted, 2)], [inner, answer.inner.toFixed(2)], [say("likeness"), answer.similarity.toFixed(3)]];
      if (answer.counted) head.push([say("observedPmi"), answer.times === 0 ? say("never") : decimals(answer.observed, 2)], [say("times"), decimals(answer.times, 1)]);
      const hint = say(answer.counted ? "sharedObserved" : "sharedPredicted");
      return [figures(head), lists(list(say("shared"), hint, [say("score"), answer.first, answer.second], answer.shared, [1, 2, 2]))];
    },
    keywords(answer) {
      const parts = [quiet(say("known", digits.format(answer.known), digits.format(answer.unknown)))];
      if (answer.unknown_words.length) parts.push(quiet(say("unknown", answer.unknown_words.join(" · "))));
      return [...parts, lists(list(say("keywords"), say("keywordsHint"), [say("score"), say("often")], answer.words, [1, 0]))];
    },
  };

  async function post(name, question) {
    const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(question) };
    let answer;
    try {
      answer = await (await fetch(`/api/${name}`, options)).json();
    } catch {
      return { error: null };
    }
    return answer;
  }

  function show(name, answer) {
    const error = () => [warning(answer.error === null ? say("failed") : answer.error)];
    shown.set(name, "error" in answer ? error : () => SHOW[name](answer));
    element(`${name}-answer`).replaceChildren(...shown.get(name)());
  }

  for (const name of Object.keys(SHOW)) {
    const form = element(name);
    const place = element(`${name}-answer`);
    let asked = 0;
    form.addEventListener("submit", async (event) => {
      event.preventDefault();
      const mine = ++asked;
      place.classList.add("busy");
      const answer = await post(name, { ...Object.fromEntries(new FormData(form)), topn: NUMBER });
      if (mine !== asked) return; // a later question is under way
      place.classList.remove("busy");
      show(name, answer);
    });
    form.addEventListener("keydown", (event) => {
      if (event.key === "Escape") {
        asked += 1;
        form.reset();
        place.classList.remove("busy");
        place.replaceChildren();
        shown.delete(name);
      } else if (event.key === "Enter" && event.ctrlKey) form.requestSubmit();
    });
  }

  function speak() {
    document.documentElement.lang = language;
    for (const part of document.querySelectorAll("[data-text]")) part.textContent = say(part.dataset.text);
    const button = element("language");
    button.textContent = say("other");
    button.lang = language === "en" ? "zh" : "en";
    document.title = `${say("title")} – simglove`;
    if (facts !== null && !("error" in facts)) {
      const pairs = say(facts.pairs ? "withPairs" : "withoutPairs");
      element("about").textContent = `${say("about", digits.format(facts.words), facts.dim)} ${pairs}`;
      const words = facts.examples.flatMap((word) => [" ", wordButton(word)]);
      element("examples").replaceChildren(say("examples"), ...words);
    }
    for (const [name, again] of shown) element(`${name}-answer`).replaceChildren(...again());
  }

  element("language").addEventListener("click", () => {
    language = language === "en" ? "zh" : "en";
    speak();
  });
  speak();
  post("about", {}).then((answer) => {
    facts = answer;
    if ("error" in answer) element("about").textContent = answer.error ?? say("failed");
    speak();
  });
  element("word-word").focus();
})();
