package delivery

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/leadwire/caddy-telecrm/telecrm"
)

// EncodePayload returns lead as an entry's payload.
func EncodePayload(lead telecrm.Lead) ([]byte, error) {
	return json.Marshal(lead)
}

// DecodePayload reads a payload that [EncodePayload] made.
func DecodePayload(payload []byte) (telecrm.Lead, error) {
	decoder := json.NewDecoder(bytes.NewReader(payload))
	decoder.UseNumber()
	var lead telecrm.Lead
	if err := decoder.Decode(&lead); err != nil {
		return telecrm.Lead{}, fmt.Errorf("decoding payload: %w", err)
	}
	return lead, nil
}
