package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/google/uuid"

	"github.com/leadwire/caddy-telecrm/internal/adminapi"
	"github.com/leadwire/caddy-telecrm/internal/dispatch"
	"github.com/leadwire/caddy-telecrm/modules/outboxes"
	"github.com/leadwire/caddy-telecrm/outbox"
)

// eraseLead erases a lead for good, also from the spools of other machines.
func eraseLead(ctx context.Context, d *dispatch.Dispatcher, id string) error {
	if store, ok := d.Store.(outbox.Eraser); ok {
		return store.EraseEverywhere(ctx, id)
	}
	return d.Store.Erase(ctx, id)
}

// eraseUnseen erases a lead that no outbox has, because it may be in the spool of another machine. It
// returns an error that says so, or nil if no other machine uses the outboxes.
func eraseUnseen(ctx context.Context, id string) error {
	if _, err := uuid.Parse(id); err != nil {
		return nil //nolint:nilerr // the caller knows that there is no such lead
	}
	for _, d := range dispatch.All() {
		if _, is := d.Shared(); !is {
			continue
		}
		err := eraseLead(ctx, d, id)
		if errors.Is(err, outbox.ErrAway) || err != nil && !errors.Is(err, outbox.ErrNotFound) {
			return outboxFailed(err, id)
		}
		return refuse(http.StatusNotFound, "lead %s not found; if it is in the spool of another machine, it is removed when that spool moves to the outbox", id)
	}
	return nil
}

// erasePerson erases a person like erase. It also keeps their leads in spools of other machines from
// moving to the outbox. If an outbox cannot be used, it erases what it finds and returns an error.
func erasePerson(ctx context.Context, open []*dispatch.Dispatcher, spellings []string, after string) (adminapi.Erased, error) {
	var away error
	if after == "" {
		away = forbidPerson(ctx, open, spellings)
		if away != nil && !errors.Is(away, outbox.ErrAway) {
			return adminapi.Erased{}, away
		}
	}
	erased, err := erase(ctx, open, spellings, after)
	if err != nil {
		return erased, err
	}
	if away != nil {
		return erased, refuse(http.StatusServiceUnavailable,
			"the outbox cannot be used at present, so the leads in it are not erased; leads erased from its spool on this machine: %d; erase the person again when the outbox can be used: %w",
			erased.Erased, away)
	}
	if erased.Next == "" {
		erased.Note = strings.Join(unsearched(ctx, open), "; ")
	}
	return erased, nil
}

// forbidPerson keeps a person's leads in spools of other machines from moving to the outboxes.
func forbidPerson(ctx context.Context, open []*dispatch.Dispatcher, spellings []string) error {
	for _, d := range open {
		store, ok := d.Store.(outbox.Eraser)
		if !ok {
			continue
		}
		for _, identifier := range spellings {
			if err := store.ErasePerson(ctx, identifier); err != nil {
				return err
			}
		}
	}
	return nil
}

// unsearched says where the person may have leads that were not searched: in spools of other machines,
// and in files of this one.
func unsearched(ctx context.Context, open []*dispatch.Dispatcher) (places []string) {
	if here := outboxes.Unsearched(); here != "" {
		places = append(places, "files on this machine were not searched: "+here)
	}
	var machines []string
	for _, d := range open {
		fleet, err := fleetOf(ctx, d)
		if err != nil || fleet == nil {
			continue
		}
		for _, n := range fleet.Nodes {
			if n.Spooled > 0 && !n.Self {
				machines = append(machines, fmt.Sprintf("%s (%d)", n.Name, n.Spooled))
			}
		}
	}
	if len(machines) > 0 {
		places = append(places, "leads in the spools of "+strings.Join(machines, ", ")+
			" were not searched; those of the person are removed when they move to the outbox, unless they are sent before")
	}
	return places
}
