package delivery

import "sync"

// Blames decides which visitors are asked to correct a lead that TeleCRM refused as invalid. If it
// refuses the leads of two people for the same reason, the fault is not theirs. The zero value is
// ready for use.
type Blames struct {
	mu   sync.Mutex
	last map[string]blame // by form
}

// blame is the last refusal that a visitor was told about.
type blame struct{ reason, identifier string }

// Refused reports whether to tell the visitor that TeleCRM refused the lead for the reason, which is
// its status and code. It returns false if the last refusal of the form was that of another person,
// for the same reason.
func (b *Blames) Refused(form, reason, identifier string) (tell bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	last, exists := b.last[form]
	if exists && last.reason == reason && last.identifier != identifier {
		return false
	}
	if b.last == nil {
		b.last = make(map[string]blame)
	}
	b.last[form] = blame{reason, identifier}
	return true
}

// Taken records that TeleCRM accepted a lead of the form.
func (b *Blames) Taken(form string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.last, form)
}
