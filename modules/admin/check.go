package admin

import (
	"net/http"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dailycheck"
)

// serveFindings responds with what the last check of the forms found.
func serveFindings(w http.ResponseWriter, r *http.Request) error {
	if _, err := readQuery(r); err != nil {
		return err
	}
	result := lastCheck()
	if result == nil {
		return refuse(http.StatusNotFound, "the forms have not been checked yet, or check is off")
	}
	result.Findings = lastFindings()
	return answerJSON(w, result)
}

// lastCheck counts what the last check of the forms found. It returns nil if there is none.
func lastCheck() *adminapi.Check {
	last := dailycheck.Last()
	if last == nil {
		return nil
	}
	return &adminapi.Check{
		At: utcTime(last.At), Errors: last.Report.Count(check.Error), Warnings: last.Report.Count(check.Warning), Notes: last.Report.Count(check.Note),
		Unverified: last.Report.Unverified,
	}
}

func lastFindings() []check.Finding {
	if last := dailycheck.Last(); last != nil {
		return last.Report.Findings
	}
	return nil
}
