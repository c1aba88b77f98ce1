package telecrm

import (
	"fmt"
	"io"
)

// redacted stands where a token would be printed.
const redacted = "REDACTED"

// Token is an API token. However it is formatted or marshaled, it shows only
// that it is one; convert it to a string to use it. Two things are beyond its
// methods: fmt prints unexported fields, and encoding/json the keys of maps,
// without asking them.
type Token string

// Format writes a fixed word in place of the token, for every verb.
func (Token) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted)
}

// MarshalText gives a fixed word in place of the token, so that JSON and
// structured loggers cannot show it.
func (Token) MarshalText() ([]byte, error) {
	return []byte(redacted), nil
}
