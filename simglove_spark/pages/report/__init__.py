"""A report of a run: one HTML file that shows everything and fetches nothing.

In: a run folder, of which nothing is changed, and evaluation results as JSON. Out: the text of a page, with its style, its scripts,
its figures and the chart library inside.

    run_folder.py   what lies in the folder           tables.py    stages, settings, lineage, evaluation as rows
    charts.py       losses, norms, neighbours         word_map.py  two coordinates a word
    page.py         all of it put into report.html, which report.css dresses and report.js draws

Words and settings are data: Jinja2 escapes what goes into the markup, and what the script reads is JSON in a block that cannot
be left. The page's own policy (Content-Security-Policy) allows its two scripts by their checksums and nothing from elsewhere.
echarts/ holds Apache ECharts as published (its README tells the version).
"""
