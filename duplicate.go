package caddytelecrm

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.uber.org/zap"

	"github.com/leadwire/caddy-telecrm/delivery"
)

// bindDuplicates checks what the form is to do about people whom TeleCRM
// knows, and warns of what it may do to their records.
func (h *Handler) bindDuplicates() error {
	policy := delivery.Policy(h.OnDuplicate)
	switch {
	case !slices.Contains(delivery.Policies(), policy):
		return fmt.Errorf("on_duplicate %q is unknown; known ways are: %s", h.OnDuplicate, policyNames())
	case policy != delivery.UpdateFields && len(h.UpdateFields) > 0:
		return fmt.Errorf("update_fields is set although on_duplicate is %s", policy)
	case h.account.client == nil && policy != delivery.Upsert:
		return fmt.Errorf("on_duplicate %s needs a token: with an async_token alone every lead goes through the Async API, which updates the lead that is there", policy)
	case policy == delivery.Upsert && h.account.async == nil:
		return errors.New("on_duplicate upsert needs an async_token in the account")
	}
	log := h.logger.With(zap.String("form", h.Form))
	switch policy {
	case delivery.UpdateFields:
		if err := h.checkUpdate(log); err != nil {
			return err
		}
		h.app.updates[h.account.key] = true
	case delivery.Upsert:
		h.warnOfOverwriting(log, h.mapping.names())
	case delivery.AppendActions:
		if len(h.Actions) == 0 {
			log.Warn("the form has no action to append to the lead of a person whom TeleCRM knows: their enquiries will be parked; add an action, or say what to do with on_duplicate")
		}
	case delivery.IgnoreDuplicate, delivery.ParkDuplicate:
	}
	h.duplicates = delivery.OnDuplicate{Policy: policy, Fields: h.UpdateFields}
	return nil
}

func policyNames() string {
	names := make([]string, 0, len(delivery.Policies()))
	for _, policy := range delivery.Policies() {
		names = append(names, string(policy))
	}
	return strings.Join(names, ", ")
}

// checkUpdate checks the fields that a second enquiry is to set.
func (h *Handler) checkUpdate(log *zap.Logger) error {
	if len(h.UpdateFields) == 0 {
		return errors.New("on_duplicate update needs the API names of the fields to set")
	}
	given := h.mapping.names()
	for _, name := range h.UpdateFields {
		if name == h.mapping.identifier {
			return fmt.Errorf("on_duplicate update cannot set %s: it is the lead identifier, which TeleCRM never lets change", name)
		}
		if !slices.Contains(given, name) {
			return fmt.Errorf("on_duplicate update names %s, which no field or set of the form gives", name)
		}
	}
	h.warnOfOverwriting(log, h.UpdateFields)
	return nil
}

// warnOfOverwriting warns of fields that a second enquiry should hardly set.
func (h *Handler) warnOfOverwriting(log *zap.Logger, names []string) {
	for _, name := range names {
		if harm := harmOfSetting(name); harm != "" {
			log.Warn("on_duplicate "+h.OnDuplicate+" sets a field of people whom TeleCRM knows: "+harm, zap.String("field", name))
		}
	}
}

// harmOfSetting says what setting the field again does to a lead that is
// there; nothing if it is like any other.
func harmOfSetting(name string) string {
	switch lower := strings.ToLower(name); {
	case lower == "status":
		return "it reopens leads that are won or lost"
	case lower == "assignee":
		return "it takes leads from their owners"
	case strings.HasPrefix(lower, "utm_"), strings.HasSuffix(lower, "clid"),
		slices.Contains([]string{"source", "lead_source", "medium", "campaign", "referrer", "referer"}, lower):
		return "it overwrites where they first came from"
	}
	return ""
}
