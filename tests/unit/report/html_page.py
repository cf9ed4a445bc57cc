"""A page as a reader's program sees it: elements, tables, words."""

from html.parser import HTMLParser

VOID = {"meta", "br", "link", "img", "input", "hr"}


class Page(HTMLParser):
    """Elements in order of appearance, and tables by caption; fails where tags do not match."""

    def __init__(self, text):
        super().__init__()
        self.elements = []
        self.tables = {}
        self.words = ""
        self._open = []
        self._caption = None
        self.feed(text)
        self.close()
        assert not self._open, f"never closed: {self._open}"

    def handle_starttag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))
        if tag in VOID:
            return
        self._open.append(tag)
        if tag == "caption":
            self._caption = ""
        elif tag == "tr":
            self.tables[self._caption].append([])
        elif tag in {"td", "th"}:
            self.tables[self._caption][-1].append("")

    def handle_endtag(self, tag):
        assert self._open[-1] == tag, f"{tag} closed within {self._open}"
        self._open.pop()
        if tag == "caption":
            self.tables.setdefault(self._caption, [])

    def handle_startendtag(self, tag, attrs):
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data):
        if "style" in self._open:
            return
        self.words += data
        if "caption" in self._open:
            self._caption += data
        elif {"td", "th"} & set(self._open):
            self.tables[self._caption][-1][-1] += data.strip()

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)

    def attributes(self, *names):
        return [value for _, attrs in self.elements for key, value in attrs.items() if key in names]
