package dispatch

import (
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
)

// UnknownOutbox says what to write instead of an outbox that this Caddy does not have. The word is
// written after the text before, which may be empty.
func UnknownOutbox(word, before string) error {
	if word == "postgres" {
		return errors.New("outbox postgres is not in this Caddy; build one with xcaddy build " +
			"--with github.com/leadwire/caddy-telecrm --with github.com/leadwire/caddy-telecrm/postgres")
	}
	if strings.Contains(word, "://") || strings.Contains(word, "=") { // it may have a password
		return fmt.Errorf("outbox: write what kind it is before the DSN: %spostgres {env.TELECRM_DSN}", before)
	}
	if strings.ContainsAny(word, "/.") {
		return fmt.Errorf("outbox: write what kind it is before the file: %ssqlite %s", before, word)
	}
	var known []string
	for _, module := range caddy.GetModules("telecrm.outbox") {
		known = append(known, module.ID.Name())
	}
	return fmt.Errorf("outbox: %w", suggest.Unknown("word", word, known...))
}
