package telecrm

import (
	"fmt"
	"io"
)

// redacted replaces a token in output.
const redacted = "REDACTED"

// Token is an API token. Formatting or marshaling it does not reveal it; convert it to a string to
// use it. There are two exceptions: fmt prints unexported fields, and encoding/json the keys of
// maps, without calling its methods.
type Token string

// Format writes a fixed word for every verb.
func (Token) Format(f fmt.State, _ rune) {
	_, _ = io.WriteString(f, redacted)
}

// MarshalText returns a fixed word, so that JSON and structured loggers do not reveal the token.
func (Token) MarshalText() ([]byte, error) {
	return []byte(redacted), nil
}
