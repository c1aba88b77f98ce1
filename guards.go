package caddytelecrm

import (
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"go.uber.org/zap"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/httpx"
)

// off switches a guard off.
const off = "off"

// Defaults of the guards.
const (
	defaultRateLimit = "10 1m"
	defaultDedupe    = "10m"
)

// defaultHoneypot lists the traps that form services have taught people.
func defaultHoneypot() []string {
	return []string{"_gotcha", "bot-field", "botcheck", "_honeypot", "_honey"}
}

// guards are what one form knows of the posts before.
type guards struct {
	*guardMemory

	origins       *guard.Origins
	confirmations *guard.Confirmations
	memoryKey     string
}

// guardMemory is what a form's guards remember. It outlives the config that
// began it, so that a reload neither forgets a double click nor gives anybody
// a fresh allowance.
type guardMemory struct {
	rate      *guard.Rate    // nil if it is off
	repeats   *guard.Repeats // nil if it is off
	constants *guard.Constants
	redeemed  *guard.Redeemed
}

// Destruct does nothing: memory is all there is.
func (*guardMemory) Destruct() error { return nil }

// provisionGuards sets up what keeps junk out.
func (h *Handler) provisionGuards() error {
	limit, err := parseLimit(h.RateLimit)
	if err != nil {
		return fmt.Errorf("rate_limit: %w", err)
	}
	window, err := parseDedupe(h.Dedupe)
	if err != nil {
		return fmt.Errorf("dedupe: %w", err)
	}
	if err := h.provisionTraps(); err != nil {
		return fmt.Errorf("honeypot: %w", err)
	}
	origins, err := guard.NewOrigins(h.Origins)
	if err != nil {
		return fmt.Errorf("origins: %w", err)
	}
	keys, err := h.keys("confirmations")
	if err != nil {
		return err
	}
	match, err := json.Marshal(h.MatchRaw)
	if err != nil {
		return err
	}
	h.guards.origins = origins
	h.guards.confirmations = guard.NewConfirmations(keys, h.Form)
	h.guards.memoryKey = strings.Join([]string{"guards", h.app.resource, h.account.called.base, h.account.key, h.Form, h.RateLimit, h.Dedupe, string(match)}, "\x00")
	memory, _, err := pool.LoadOrNew(h.guards.memoryKey, func() (caddy.Destructor, error) {
		m := &guardMemory{constants: new(guard.Constants), redeemed: guard.NewRedeemed(time.Now)}
		if limit.Posts > 0 {
			m.rate = guard.NewRate(limit, time.Now)
		}
		if window > 0 {
			m.repeats = guard.NewRepeats(window, time.Now)
		}
		return m, nil
	})
	if err != nil {
		return err
	}
	h.guards.guardMemory = memory.(*guardMemory)
	return nil
}

// releaseGuards lets go of what the form's guards remember.
func (h *Handler) releaseGuards() error {
	if h.guards.guardMemory == nil {
		return nil
	}
	_, err := pool.Delete(h.guards.memoryKey)
	return err
}

// provisionTraps settles which inputs are traps. What goes to TeleCRM cannot
// be one.
func (h *Handler) provisionTraps() error {
	switch {
	case len(h.Honeypot) == 0:
		h.traps = slices.DeleteFunc(defaultHoneypot(), func(trap string) bool { return h.mapping.taken[trap] })
		return nil
	case slices.Contains(h.Honeypot, off):
		if len(h.Honeypot) > 1 {
			return errors.New("write either off or the names of inputs")
		}
		return nil
	}
	for _, trap := range h.Honeypot {
		if h.mapping.taken[trap] {
			return fmt.Errorf("the input %s goes to TeleCRM, so it cannot be a trap", trap)
		}
		if guard.IsFilledByBrowsers(trap) {
			h.logger.Warn("browsers and password managers may fill in this trap by themselves, and people's posts would be taken for junk; give it a name that is no common question, such as _gotcha",
				zap.String("form", h.Form), zap.String("input", trap))
		}
	}
	h.traps = h.Honeypot
	h.mapping.ignore(h.traps)
	return nil
}

// parseLimit reads `<n> <window>` or `off`, which is no limit.
func parseLimit(text string) (guard.Limit, error) {
	const form = "write <n> <window>, such as 10 1m, or off"
	if text == off {
		return guard.Limit{}, nil
	}
	words := strings.Fields(text)
	if len(words) != 2 {
		return guard.Limit{}, errors.New(form)
	}
	posts, err := strconv.ParseUint(words[0], 10, 16)
	if err != nil || posts == 0 {
		return guard.Limit{}, fmt.Errorf("%q is no number from 1 to 65535; %s", words[0], form)
	}
	window, err := caddy.ParseDuration(words[1])
	if err != nil || window <= 0 {
		return guard.Limit{}, fmt.Errorf("%q is no duration above zero; %s", words[1], form)
	}
	return guard.Limit{Posts: int(posts), Window: window}, nil
}

// parseDedupe reads a duration or `off`, which is 0.
func parseDedupe(text string) (time.Duration, error) {
	if text == off {
		return 0, nil
	}
	window, err := caddy.ParseDuration(text)
	if err != nil || window <= 0 {
		return 0, fmt.Errorf("%q is no duration above zero; write one such as 10m, or off", text)
	}
	return window, nil
}

// pace counts the post, and says whether it is one too many from its address.
func (h *Handler) pace(r *http.Request) guard.Pass {
	if h.guards.rate == nil {
		return guard.Pass{}
	}
	return h.guards.rate.Take(httpx.ClientAddress(r))
}

// seconds is a wait as Retry-After has it.
func seconds(wait time.Duration) string {
	return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds()))))
}

func (h *Handler) readHoneypot(d *caddyfile.Dispenser) error {
	h.Honeypot = d.RemainingArgs()
	if len(h.Honeypot) == 0 {
		return d.Errf("honeypot takes the names of one or more inputs, or off")
	}
	return nil
}

func (h *Handler) readOrigins(d *caddyfile.Dispenser) error {
	h.Origins = append(h.Origins, d.RemainingArgs()...)
	if len(h.Origins) == 0 {
		return d.Errf("origins takes one or more, such as https://www.example.com")
	}
	return nil
}
