package delivery

import "sync"

// Blames tells the refusals that a visitor can do something about from those
// that have nothing to do with them. The zero value is ready for use.
type Blames struct {
	mu   sync.Mutex
	last map[string]shownRefusal // by form
}

// shownRefusal names the last visitor that was told about a refusal by TeleCRM.
type shownRefusal struct{ reason, identifier string }

// Refused reports whether the visitor is to be told that TeleCRM has refused
// their lead, how being its status and code: not if it has just refused
// another person's in the same way, and none of the form has been taken since.
func (b *Blames) Refused(form, how, identifier string) (tell bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, known := b.last[form]
	if known && last.reason == how && last.identifier != identifier {
		return false
	}
	if b.last == nil {
		b.last = make(map[string]shownRefusal)
	}
	b.last[form] = shownRefusal{how, identifier}
	return true
}

// Taken notes that TeleCRM has taken a lead of the form.
func (b *Blames) Taken(form string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.last, form)
}
