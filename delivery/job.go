package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// Policy is what to do with a lead whose person TeleCRM knows already.
type Policy string

// The policies. One that cannot work, because the lead that is there cannot be
// told for certain or there is nothing to add to it, falls to ParkDuplicate.
const (
	// AppendActions appends the actions to the lead that is there.
	AppendActions Policy = "actions"
	// UpdateFields sets the fields listed, and then appends the actions.
	UpdateFields Policy = "update"
	// Upsert hands the whole lead to the Async API, which sets all of its
	// fields and appends its actions.
	Upsert Policy = "upsert"
	// IgnoreDuplicate counts the lead as delivered.
	IgnoreDuplicate Policy = "ignore"
	// ParkDuplicate keeps it for a person to look at.
	ParkDuplicate Policy = "park"
)

// Policies returns all policies.
func Policies() []Policy {
	return []Policy{AppendActions, UpdateFields, Upsert, IgnoreDuplicate, ParkDuplicate}
}

// OnDuplicate says what to do with a lead whose person TeleCRM knows already.
type OnDuplicate struct {
	// Policy is AppendActions if it is empty.
	Policy Policy `json:"policy,omitempty"`
	// Fields are the API names that UpdateFields sets.
	Fields []string `json:"fields,omitempty"`
}

// Job is what an entry's payload says is to be done.
type Job struct {
	telecrm.Lead
	OnDuplicate OnDuplicate `json:"on_duplicate,omitzero"`
}

// EncodeJob returns job as an entry's payload.
func EncodeJob(job Job) ([]byte, error) {
	return json.Marshal(job)
}

// DecodeJob reads a payload that [EncodeJob] made.
func DecodeJob(payload []byte) (Job, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var job Job
	if err := decoder.Decode(&job); err != nil {
		return Job{}, fmt.Errorf("decoding payload: %w", err)
	}
	return job, nil
}

// update returns the values that the job sets in a lead that is there, and the
// names of those that it cannot set because they are locked. The identifier is
// never among them: TeleCRM refuses an update that holds it
// (https://docs.telecrm.in/sync-api/leads/update).
func (j Job) update(identifier string, locked map[string]bool) (fields map[string]any, left []string) {
	if j.OnDuplicate.Policy != UpdateFields {
		return nil, nil
	}
	fields = make(map[string]any)
	for _, name := range j.OnDuplicate.Fields {
		value, given := j.Fields[name]
		switch {
		case !given || name == identifier:
		case locked[name]:
			left = append(left, name)
		default:
			fields[name] = value
		}
	}
	slices.Sort(left)
	return fields, left
}
