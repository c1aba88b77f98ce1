package checkconfig

import (
	"cmp"
	"errors"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/account"
	"github.com/leadwire/caddy-telecrm/internal/placeholder"
	"github.com/leadwire/caddy-telecrm/telecrm"
)

// accountOf returns the account of a form, and its settings without placeholders.
func (r *reader) accountOf(h telecrmHandler, form string, at *block) (*check.Account, account.Settings) {
	name, settings := cmp.Or(h.AccountName, account.Default), account.Settings{}
	place := at
	switch {
	case h.AccountName == "" && account.Connect(h.Settings):
		name, settings = form, h.Settings
	case r.config.Apps.TeleCRM.Accounts[name] != nil:
		settings = *r.config.Apps.TeleCRM.Accounts[name]
		place = r.blocks.account(name)
	}
	written := settings
	key := name + "\x00" + settings.Token + settings.EnterpriseID
	known := r.accounts[key]
	isNew := known == nil
	expand := func(setting, text string) string {
		if !isNew { // its placeholders have been reported
			return r.expandQuietly(text)
		}
		return r.expand(setting, text, place.at(setting))
	}
	isAsync := settings.Token == "" && settings.AsyncToken != ""
	settings.Token = expand("token", settings.Token)
	settings.AsyncToken = expand("async_token", settings.AsyncToken)
	settings.EnterpriseID = expand("enterprise_id", settings.EnterpriseID)
	settings.BaseURL = expand("base_url", settings.BaseURL)
	settings.AsyncBaseURL = expand("async_base_url", settings.AsyncBaseURL)
	settings.Identifier = cmp.Or(expand("identifier", settings.Identifier), account.DefaultIdentifier)
	settings.Country = expand("country", settings.Country)
	settings.TimeZone = expand("time_zone", settings.TimeZone)
	if isNew {
		known = &check.Account{
			Name: name, EnterpriseID: settings.EnterpriseID, Identifier: settings.Identifier, Place: place.place, Lines: place.lines,
			BaseURL: settings.BaseURL, AsyncBaseURL: settings.AsyncBaseURL, IsAsync: isAsync,
		}
		r.open(known, written, settings)
		r.accounts[key] = known
		r.result.Accounts = append(r.result.Accounts, known)
	}
	return known, settings
}

// open makes the account reachable if its settings allow it.
func open(a *check.Account, _, s account.Settings) {
	if s.Token == "" {
		return
	}
	config := telecrm.Config{Token: telecrm.Token(s.Token), EnterpriseID: s.EnterpriseID, BaseURL: s.BaseURL, Timeout: time.Duration(s.Timeout)}
	if pace, err := account.Pace(s.CRMRate); err == nil {
		config.Pace = pace
	}
	if client, err := telecrm.New(config); err == nil {
		a.API = client
	}
}

// expand expands the placeholders of a setting, and notes one that has no value.
func (r *reader) expand(setting, text string, at check.Place) string {
	expanded := text
	err := placeholder.Expand(caddy.NewReplacer(), placeholder.Setting{Name: setting, Value: &expanded})
	if err == nil {
		return expanded
	}
	if inner := errors.Unwrap(err); inner != nil {
		err = inner
	}
	r.result.Empty = append(r.result.Empty, check.EmptyPlaceholder{Setting: setting, Text: text, Reason: err.Error(), Place: at})
	return ""
}

// expandQuietly expands placeholders. Those that are not known before a request stay.
func (r *reader) expandQuietly(text string) string {
	return strings.TrimSpace(caddy.NewReplacer().ReplaceKnown(text, ""))
}
