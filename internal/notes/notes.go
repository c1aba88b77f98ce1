// Package notes warns the operator about a form: once a reload for each kind of trouble, however
// many visitors meet it. Warnings name inputs and the site's own texts, and never what a visitor
// typed.
package notes

import (
	"sync"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
	"github.com/leadwire/caddy-telecrm/guard"
)

// Notes writes the warnings about one form.
type Notes struct {
	form   string
	logger *zap.Logger

	mu      sync.Mutex
	noted   map[string]bool
	refused tally
}

// New returns the notes about the form.
func New(form string, logger *zap.Logger) *Notes {
	return &Notes{form: form, logger: logger, noted: make(map[string]bool)}
}

// mostNoted bounds the memory of a form's warnings.
const mostNoted = 200

// warn logs the message unless a warning about the subject was logged before.
func (n *Notes) warn(subject, message string, fields ...zap.Field) {
	n.mu.Lock()
	isNew := !n.noted[subject] && len(n.noted) < mostNoted
	if isNew {
		n.noted[subject] = true
	}
	n.mu.Unlock()
	if isNew {
		n.logger.Warn(message, append([]zap.Field{zap.String("form", n.form)}, fields...)...)
	}
}

// Overwrites warns about fields of known people that a second enquiry should not overwrite.
func (n *Notes) Overwrites(policy delivery.Policy, fields []string) {
	for _, field := range fields {
		if harm := policy.Harm(field); harm != "" {
			n.warn("overwrites "+field, "on_duplicate "+string(policy)+" sets a field of known people: "+harm, zap.String("field", field))
		}
	}
}

// NothingToAppend warns that the form does not have an action for the leads of known people.
func (n *Notes) NothingToAppend() {
	n.warn("actions", "the form does not have an action to append to the leads of known people, so their enquiries will be parked; add an action, or set on_duplicate")
}

// Traps warns about traps of the config that catch people.
func (n *Notes) Traps(named []string) {
	for _, trap := range named {
		if trap != "off" && guard.IsFilledByBrowsers(trap) {
			n.warn("trap "+trap, "browsers and password managers may fill in this trap, and people's posts would be suspected spam; use a name that does not ask for anything common, such as _gotcha",
				zap.String("input", trap))
		}
	}
}

// Charset warns that the form is sent in another encoding than UTF-8.
func (n *Notes) Charset(charset string) {
	if charset != "" {
		n.warn("charset", "the form is not sent in UTF-8; serve its page as UTF-8, or some characters may be lost",
			zap.String("charset", charset))
	}
}

// Secrets warns that "unmapped" leaves out inputs for passwords and the like.
func (n *Notes) Secrets(inputs []string) {
	if len(inputs) > 0 {
		n.warn("secrets", "unmapped never forwards passwords, payment cards and one-time codes; an enquiry does not need them, so remove them from the form, or add a field for an input that is something else",
			zap.Strings("inputs", inputs))
	}
}

// Unattributed warns that the form's posts do not pass the handler that keeps where visitors came from.
func (n *Notes) Unattributed() {
	n.warn("unattributed", "the form sends where visitors came from, but its posts do not pass telecrm_attribution; add that directive to the site, without a matcher")
}

// Rebuilt warns that a script rebuilds the form in the browser, as the sign shows.
func (n *Notes) Rebuilt(sign string) {
	n.warn("rebuilt", "a script rebuilds the form in the browser and would remove what is added to its page; visitors get the built-in page about errors, and protect leaves the page alone",
		zap.String("seen", sign))
}
