package caddytelecrm

import (
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// tallySettled has the page for operators count what became of an attempt. It
// names fields as metrics do.
func (a *App) tallySettled(entry outbox.Entry, s outbox.Settlement, answer telecrm.Answer) {
	tally := a.pooled.tally
	tally.Settled(s.State)
	if s.State != outbox.Delivered || len(answer.Remarks) == 0 && len(answer.Actions) == 0 {
		return
	}
	job, err := delivery.DecodeJob(entry.Payload)
	if err != nil {
		return // logSettled says so
	}
	for _, r := range answer.Losses(job.Lead) {
		tally.Remarked(entry.Form, a.forms[entry.Form].of(r.Field))
	}
}
