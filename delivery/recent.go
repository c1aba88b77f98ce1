package delivery

import "time"

const (
	// recently is for how long nobody waits again for the outcome of a lead
	// with the same identifier. While the first is looked up and added to the
	// lead that TeleCRM has, the second would wait, which tells that the person
	// is known. It is longer than an attempt takes, and depends on nothing that
	// TeleCRM says.
	recently = 10 * time.Minute
	// mostRecent bounds how many identifiers are remembered.
	mostRecent = 10_000
)

// recent remembers the identifiers of the latest submissions.
type recent struct {
	last  map[string]time.Time
	queue []sighting // the oldest first
}

type sighting struct {
	identifier string
	at         time.Time
}

// see notes a submission, and reports whether its identifier was seen
// recently.
func (r *recent) see(identifier string, now time.Time) (again bool) {
	if identifier == "" {
		return false
	}
	for len(r.queue) > 0 && (len(r.queue) >= mostRecent || now.Sub(r.queue[0].at) >= recently) {
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
	r.queue = append(r.queue, sighting{identifier, now})
	return again
}
