package delivery

import "time"

// recent remembers the identifiers of recent submissions. A visitor whose identifier is among them
// does not wait for an outcome: the wait would include the attempt at the earlier lead, and its
// length would tell whether TeleCRM knows the person.
type recent struct {
	last  map[string]time.Time
	queue []seenAt // the oldest first
}

type seenAt struct {
	identifier string
	at         time.Time
}

const (
	// recentWindow is how long an identifier is remembered. It is longer than an attempt takes, and
	// does not depend on TeleCRM's answers.
	recentWindow = 10 * time.Minute
	// maxRecent limits the identifiers that are remembered.
	maxRecent = 10_000
)

// see adds an identifier and reports whether it was seen recently.
func (r *recent) see(identifier string, now time.Time) (again bool) {
	if identifier == "" {
		return false
	}
	for len(r.queue) > 0 && (len(r.queue) >= maxRecent || now.Sub(r.queue[0].at) >= recentWindow) {
		if oldest := r.queue[0]; r.last[oldest.identifier].Equal(oldest.at) {
			delete(r.last, oldest.identifier)
		}
		r.queue = r.queue[1:]
	}
	if r.last == nil {
		r.last = make(map[string]time.Time)
	}
	_, again = r.last[identifier]
	r.last[identifier] = now
	r.queue = append(r.queue, seenAt{identifier, now})
	return again
}
