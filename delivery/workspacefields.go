package delivery

import (
	"context"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

const (
	// fieldsTimeout bounds a request for the fields, for which leads wait.
	fieldsTimeout = 3 * time.Second
	// fieldsRetryDelay is the delay after a request that failed.
	fieldsRetryDelay = time.Minute
	// fieldsTTL is how long the fields are valid.
	fieldsTTL = 6 * time.Hour
)

// WorkspaceFields caches the fields of a workspace's leads
// (https://docs.telecrm.in/sync-api/enterprise/custom-fields-list). Attempts of one account share
// it: for values that not every workspace has a field for, for the labels of dropdowns, and for
// fields that cannot change once a lead exists.
type WorkspaceFields struct {
	turn chan struct{} // holds one signal while nobody asks TeleCRM

	mu     sync.Mutex
	fields map[string]telecrm.FieldDefinition // nil while they are unknown
	locked map[string]bool
	due    time.Time // of the next request; zero: now
}

// NewWorkspaceFields returns an empty cache.
func NewWorkspaceFields() *WorkspaceFields {
	w := &WorkspaceFields{turn: make(chan struct{}, 1)}
	w.turn <- struct{}{}
	return w
}

// Learn replaces the fields with those that TeleCRM had at a time.
func (w *WorkspaceFields) Learn(fields []telecrm.FieldDefinition, at time.Time) {
	known, locked := make(map[string]telecrm.FieldDefinition, len(fields)), make(map[string]bool)
	for _, field := range fields {
		known[field.APIName] = field
		if field.Locked {
			locked[field.APIName] = true
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if due := at.Add(fieldsTTL); due.After(w.due) || w.fields == nil {
		w.fields, w.locked, w.due = known, locked, due
	}
}

// inherit takes over what the cache of the same workspace in an earlier config knows.
func (w *WorkspaceFields) inherit(from *WorkspaceFields) {
	if w == from {
		return
	}
	from.mu.Lock()
	fields, due := slices.Collect(maps.Values(from.fields)), from.due
	isKnown := from.fields != nil
	from.mu.Unlock()
	if isKnown {
		w.Learn(fields, due.Add(-fieldsTTL))
	}
}

// known returns the fields by name, or nil while they are unknown.
func (w *WorkspaceFields) known() map[string]telecrm.FieldDefinition {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.fields
}

// lockedNames returns the names of the locked fields, as far as they are known.
func (w *WorkspaceFields) lockedNames() map[string]bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.locked
}

func (w *WorkspaceFields) isDue(now time.Time) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !now.Before(w.due)
}

// fetch asks TeleCRM for the fields. After a failure they are due again after the delay.
func (w *WorkspaceFields) fetch(ctx context.Context, client Client, now func() time.Time, retryDelay time.Duration) {
	definitions := client.FieldDefinitions(ctx)
	if definitions.Failure == nil {
		w.Learn(definitions.Fields, now())
		return
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.due = now().Add(retryDelay)
}

// get returns the fields by name, or nil while they are unknown. It asks TeleCRM when they are due,
// after throttle has returned without an error.
func (w *WorkspaceFields) get(ctx context.Context, client Client, now func() time.Time, throttle func() error) (map[string]telecrm.FieldDefinition, error) {
	select {
	case <-w.turn:
		defer func() { w.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, nil
	}
	if !w.isDue(now()) {
		return w.known(), nil
	}
	if err := throttle(); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, fieldsTimeout)
	defer cancel()
	w.fetch(ctx, client, now, fieldsRetryDelay)
	return w.known(), nil
}

// Spell returns the fields with the labels of dropdowns and tags as the workspace spells them, as
// far as it is known: TeleCRM would create another option for a label in other capitals. It must be
// called before a lead is submitted, so that all attempts send the same.
func (w *WorkspaceFields) Spell(fields map[string]any) map[string]any {
	changed := make(map[string]any)
	for name, field := range w.known() {
		if field.Type != "DROPDOWN" && field.Type != "TAGS" {
			continue
		}
		switch value := fields[name].(type) {
		case string:
			if label := labelOf(value, field.Options); label != value {
				changed[name] = label
			}
		case []string:
			labels := make([]string, 0, len(value))
			for _, label := range value {
				labels = append(labels, labelOf(label, field.Options))
			}
			changed[name] = labels
		}
	}
	if len(changed) == 0 {
		return fields
	}
	spelled := maps.Clone(fields)
	maps.Copy(spelled, changed)
	return spelled
}

// labelOf returns the option that is meant by the label, or the label itself if none or several are.
func labelOf(label string, options []string) string {
	if slices.Contains(options, label) {
		return label
	}
	meant := slices.DeleteFunc(slices.Clone(options), func(option string) bool {
		return !strings.EqualFold(joinedWords(option), joinedWords(label))
	})
	if len(meant) != 1 {
		return label
	}
	return meant[0]
}

// joinedWords returns the words of a text with one space between them.
func joinedWords(text string) string { return strings.Join(strings.Fields(text), " ") }
