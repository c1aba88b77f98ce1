package delivery

import "time"

const (
	// recentWindow is for how long nobody waits again for the outcome of a lead
	// with the same identifier. While the first is looked up and added to the
	// lead that TeleCRM has, the second would wait, which tells that the person
	// is known. It is longer than an attempt takes, and depends on nothing that
	// TeleCRM says.
	recentWindow = 10 * time.Minute
	// maxRecent bounds how many identifiers are remembered.
	maxRecent = 10_000
)

// recent remembers the identifiers of the latest submissions.
type recent struct {
	last  map[string]time.Time
	queue []seenAt // the oldest first
}

type seenAt struct {
	identifier string
	at         time.Time
}

// see notes a submission, and reports whether its identifier was seen
// recently.
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
