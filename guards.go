package caddytelecrm

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/guard"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/internal/protect"
	"github.com/leadwire/caddy-telecrm/internal/screen"
	"github.com/leadwire/caddy-telecrm/internal/signing"
)

// provisionGuards sets up the guards against spam. Their memory survives reloads.
func (h *Handler) provisionGuards() error {
	limit, err := parseLimit(h.RateLimit)
	if err != nil {
		return fmt.Errorf("rate_limit: %w", err)
	}
	if err := h.provisionUnlimited(); err != nil {
		return fmt.Errorf("rate_limit_except: %w", err)
	}
	window, err := parseDedupe(h.Dedupe)
	if err != nil {
		return fmt.Errorf("dedupe: %w", err)
	}
	if h.traps, err = guard.TrapNames(h.Honeypot, h.mapping.Takes); err != nil {
		return fmt.Errorf("honeypot: %w", err)
	}
	h.notes.Traps(h.Honeypot)
	h.mapping.Ignore(h.traps)
	if h.origins, err = guard.NewOrigins(h.Origins, h.matcher.Site.Has); err != nil {
		return fmt.Errorf("origins: %w", err)
	}
	match, err := json.Marshal(h.match)
	if err != nil {
		return err
	}
	h.matchKey, h.dedupeFor = string(match), window
	h.memoryKey = strings.Join([]string{h.app.resource, h.account.Base(), h.account.Key, h.Form, h.RateLimit, h.Dedupe, h.matchKey}, "\x00")
	pooled, _, err := memories.LoadOrNew(h.memoryKey, func() (caddy.Destructor, error) {
		return memory{guard.NewMemory(limit, window, h.now)}, nil
	})
	if err != nil {
		return err
	}
	h.memory = pooled.(memory).Memory
	return nil
}

// provisionUnlimited reads the networks without a rate limit.
func (h *Handler) provisionUnlimited() error {
	if h.RateLimit == off && len(h.RateLimitExcept) > 0 {
		return errors.New("needs a rate_limit, which is off")
	}
	repl := caddy.NewReplacer()
	h.unlimited = nil
	for _, text := range h.RateLimitExcept {
		if err := placeholder.ExpandKnown(repl, placeholder.Setting{Name: "except", Value: &text}); err != nil {
			return err
		}
		network, err := parseNetwork(text)
		if err != nil {
			return err
		}
		h.unlimited = append(h.unlimited, network)
	}
	return nil
}

// memories holds the memory of each form's guards across reloads.
var memories = caddy.NewUsagePool()

type memory struct{ *guard.Memory }

// Destruct implements [caddy.Destructor]. There is nothing to release.
func (memory) Destruct() error { return nil }

// keys returns the signing keys for one purpose.
func (h *Handler) keys(purpose string) (signing.Keys, error) {
	ofToken, err := h.account.DeriveKey(purpose)
	if err != nil {
		return nil, err
	}
	return h.app.secret.Keys(purpose, ofToken), nil
}

// provisionProtection sets up the protection of pages with the form.
func (h *Handler) provisionProtection() error {
	if !h.Protect {
		return nil
	}
	keys, err := h.keys("stamps")
	if err != nil {
		return err
	}
	h.protector, err = protect.New(protect.Config{
		Form: h.Form, Keys: keys, Catalog: h.responder.Catalog, Now: h.now,
		Takes: h.matcher.WouldTake, IsInput: h.mapping.Takes, NoteRebuilt: h.notes.Rebuilt,
	})
	return err
}

// provisionChallenge sets up the form's challenge, if any.
func (h *Handler) provisionChallenge() error {
	if h.Challenge == nil {
		return nil
	}
	// The name of an account in the config does not change with its token.
	name := cmp.Or(h.AccountName, h.EnterpriseID, account.Default) + "\x00" + h.Form
	keys, err := h.keys("altcha " + name)
	if err != nil {
		return err
	}
	if h.challenge, err = h.Challenge.Open(h.Form, name, keys, h.app.spend, h.logger); err != nil {
		return fmt.Errorf("challenge: %w", err)
	}
	return nil
}

// provisionScreen sets up the screen that distinguishes people from programs.
func (h *Handler) provisionScreen() error {
	keys, err := h.keys("confirmations")
	if err != nil {
		return err
	}
	h.screen = &screen.Screen{
		Traps:         h.traps,
		TrapsExpected: len(h.Honeypot) > 0, // false with "honeypot off"
		Memory:        h.memory,
		Unlimited:     h.unlimited,
		Confirmations: guard.NewConfirmations(keys, h.Form),
		Protector:     h.protector,
		Mapping:       h.mapping,
		Responder:     h.responder,
	}
	return nil
}
