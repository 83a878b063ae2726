"""Jobs that are never lost: a journal of what was sent and answered, and a budget for it."""

from rapid_ising.jobs.budget import Budget as Budget
from rapid_ising.jobs.budget import Spent as Spent
from rapid_ising.jobs.entry import Entry as Entry
from rapid_ising.jobs.journal import Journal as Journal
