package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Job is the payload of an entry: the lead and its duplicate policy.
type Job struct {
	telecrm.Lead
	OnDuplicate OnDuplicate `json:"on_duplicate,omitzero"`
	// Optional are the names of fields that are sent only if the workspace has them.
	Optional []string `json:"optional,omitempty"`
}

// EncodeJob encodes job as the payload of an entry.
func EncodeJob(job Job) ([]byte, error) {
	return json.Marshal(job)
}

// DecodeJob decodes a payload made by [EncodeJob].
func DecodeJob(payload []byte) (Job, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var job Job
	if err := decoder.Decode(&job); err != nil {
		return Job{}, fmt.Errorf("decoding payload: %w", err)
	}
	return job, nil
}

// update returns the values that the job sets in an existing lead, and the names of the fields that
// it cannot set because they are locked. Neither contains the identifier: TeleCRM refuses an update
// with it (https://docs.telecrm.in/sync-api/leads/update).
func (j Job) update(identifier string, locked map[string]bool) (fields map[string]any, skipped []string) {
	if j.OnDuplicate.Policy != UpdateFields {
		return nil, nil
	}
	fields = make(map[string]any)
	for _, name := range j.OnDuplicate.Fields {
		value, given := j.Fields[name]
		switch {
		case !given || name == identifier:
		case locked[name]:
			skipped = append(skipped, name)
		default:
			fields[name] = value
		}
	}
	slices.Sort(skipped)
	return fields, skipped
}
