"""A page on this machine to ask vectors: what is alike, what is said together, analogies, keywords, and the pairs behind two words.

In: vectors, and where there is one the pair table they were trained on. Out: a page on 127.0.0.1, and answers as JSON.

    text_words.py  words of pasted text        answers.py  questions to answers, which are those of `Vectors`
    server.py      HTTP: who may ask, and what a page may do

Words are data: they travel as JSON and the page puts them in as text, never as markup. Nobody but this machine is served, and no page
from elsewhere gets an answer: the name by which the server was called must be its own (against DNS rebinding), questions are
JSON, which other sites may not send, and the page's policy lets it load and ask nothing but this server.
"""
