"""Finding what is wrong with a capture before a model sees it."""

from nvs_data.validate.checks import check, validate
from nvs_data.validate.findings import Finding, exit_code, verdict
from nvs_data.validate.report import write_report
from nvs_data.validate.survey import Survey, survey
