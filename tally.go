package caddytelecrm

import (
	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/outbox"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// count has the page for operators count what became of an attempt.
func (p *pooledOutbox) count(entry outbox.Entry, s outbox.Settlement, answer telecrm.Answer) {
	p.tally.Settled(s.State)
	if s.State != outbox.Delivered || len(answer.Remarks) == 0 && len(answer.Actions) == 0 {
		return
	}
	job, err := delivery.DecodeJob(entry.Payload)
	if err != nil {
		return // logSettled says so
	}
	for _, r := range losses(answer, job.Lead) {
		p.tally.Remarked(entry.Form, r.field)
	}
}
