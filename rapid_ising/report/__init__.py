"""Reports: a page of headings, sentences, tables and pictures, as one HTML file and as Markdown."""

from rapid_ising.report.html import html as html
from rapid_ising.report.markdown import markdown as markdown
from rapid_ising.report.page import Element as Element
from rapid_ising.report.page import Heading as Heading
from rapid_ising.report.page import Picture as Picture
from rapid_ising.report.page import Table as Table
from rapid_ising.report.page import Text as Text
