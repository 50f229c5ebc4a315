"""Finding what is wrong with a capture before a model sees it."""

from data_tools.validate.checks import check, validate
from data_tools.validate.findings import Finding, exit_code, verdict
from data_tools.validate.report import write_report
from data_tools.validate.survey import Survey, survey
