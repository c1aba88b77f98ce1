package adminapi

import (
	"fmt"
	"time"

	"github.com/dustin/go-humanize"

	"github.com/leadwire/caddy-telecrm/outbox"
)

// Fleet is the state of an outbox that several machines share.
type Fleet struct {
	Nodes []Node `json:"nodes"`
	// DeadRows is roughly the number of row versions that the database has not cleaned up yet.
	DeadRows int `json:"dead_rows"`
	// OpenSeconds is for how long the oldest transaction has been open, which keeps the database from
	// cleaning up.
	OpenSeconds float64 `json:"oldest_transaction_seconds"`
	// Disagreements lists the settings that should be the same on all machines and are not.
	Disagreements []outbox.Disagreement `json:"disagreements,omitempty"`
}

// Node is a machine that uses a shared outbox.
type Node struct {
	Name string `json:"name"`
	// Self says that this machine answers.
	Self     bool      `json:"self,omitempty"`
	Since    time.Time `json:"since"`
	InFlight int       `json:"in_flight"`
	// Spooled counts the leads in its spools, which the other machines do not see.
	Spooled int `json:"spooled,omitempty"`
}

// longTransaction is how long a transaction may be open before operators should know.
const longTransaction = 10 * time.Minute

// LongTransaction says in words that a transaction keeps the database from cleaning up. It is empty
// if none does.
func (f Fleet) LongTransaction() string {
	open := time.Duration(f.OpenSeconds * float64(time.Second))
	if open <= longTransaction {
		return ""
	}
	rows := "1 dead row"
	if f.DeadRows != 1 {
		rows = humanize.Comma(int64(f.DeadRows)) + " dead rows"
	}
	return fmt.Sprintf("A transaction has been open in the database for %v, so it cannot clean up %s.", open.Round(time.Minute), rows)
}
