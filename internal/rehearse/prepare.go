package rehearse

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/leadwire/caddy-telecrm/internal/placeholder"
)

// prepare returns the config without what a rehearsal must not touch: logs, storage, certificates,
// other apps, tokens and the outbox.
func prepare(adapted []byte, folder string) (*caddy.Config, error) {
	var from struct {
		Apps map[string]map[string]any `json:"apps"`
	}
	decoder := json.NewDecoder(bytes.NewReader(adapted))
	decoder.UseNumber()
	if err := decoder.Decode(&from); err != nil {
		return nil, fmt.Errorf("reading the config: %w", err)
	}
	web, telecrm := from.Apps["http"], from.Apps["telecrm"]
	prepareApp(telecrm)
	prepareServers(web)
	apps := make(caddy.ModuleMap)
	for name, app := range map[string]map[string]any{"http": web, "telecrm": telecrm} {
		if app == nil {
			continue
		}
		raw, err := json.Marshal(app)
		if err != nil {
			return nil, err
		}
		apps[name] = raw
	}
	storage, err := json.Marshal(map[string]string{"module": "file_system", "root": folder})
	if err != nil {
		return nil, err
	}
	quiet := caddy.CustomLog{BaseLog: caddy.BaseLog{Level: "FATAL"}}
	return &caddy.Config{
		Admin: &caddy.AdminConfig{Disabled: true}, StorageRaw: storage, AppsRaw: apps,
		Logging: &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": &quiet}},
	}, nil
}

// prepareServers removes from the servers what concerns connections, certificates and logs.
func prepareServers(web map[string]any) {
	delete(web, "metrics")
	servers, _ := web["servers"].(map[string]any)
	for _, server := range servers {
		if server, ok := server.(map[string]any); ok {
			for _, word := range []string{"listener_wrappers", "packet_conn_wrappers", "tls_connection_policies", "logs", "metrics"} {
				delete(server, word)
			}
			server["automatic_https"] = map[string]any{"disable": true}
		}
		prepareHandlers(server)
	}
}

// prepareApp replaces the secrets of the accounts, and the outbox unless it is off.
func prepareApp(app map[string]any) {
	accounts, _ := app["accounts"].(map[string]any)
	for _, settings := range accounts {
		if settings, ok := settings.(map[string]any); ok {
			prepareAccount(settings)
		}
	}
	if outbox, ok := app["outbox"].(map[string]any); ok && text(outbox, "store") != "off" {
		delete(app, "outbox")
	}
}

// passive lists handlers that do not send requests, and do not ask visitors for a password.
var passive = strings.Fields("acme_server copy_response copy_response_headers encode error file_server headers intercept invoke log_append map " +
	"metrics push request_body rewrite static_response subroute telecrm telecrm_attribution templates tracing vars")

// prepareHandlers changes handlers in place. Those that may send what was posted to another server,
// or ask for a password, only get requests for pages.
func prepareHandlers(node any) {
	switch node := node.(type) {
	case []any:
		for _, item := range node {
			prepareHandlers(item)
		}
	case map[string]any:
		for _, item := range node {
			prepareHandlers(item)
		}
		if node["handler"] == "telecrm" {
			prepareForm(node)
		}
		handlers, _ := node["handle"].([]any)
		for i, h := range handlers {
			h, _ := h.(map[string]any)
			switch name := text(h, "handler"); {
			case name == "telecrm_sandbox": // its token may not be here
				handlers[i] = map[string]any{"handler": "static_response", "status_code": http.StatusNotFound}
			case !slices.Contains(passive, name):
				handlers[i] = forPages(h)
			}
		}
	}
}

// forPages returns a handler that gets only requests for pages.
func forPages(h map[string]any) map[string]any {
	return map[string]any{"handler": "subroute", "routes": []any{map[string]any{
		"match": []any{map[string]any{"method": []any{http.MethodGet, http.MethodHead}}}, "handle": []any{h},
	}}}
}

// The values in place of tokens and ids.
const (
	standInToken      = "try"
	standInEnterprise = "000000000000000000000000"
)

// prepareForm replaces the secrets of a form.
func prepareForm(form map[string]any) {
	prepareAccount(form)
	if task, ok := form["challenge"].(map[string]any); ok && text(task, "secret") != "" {
		task["secret"] = standInToken
	}
}

// prepareAccount replaces the tokens of an account, and settings whose placeholders have no value
// here but do not matter.
func prepareAccount(settings map[string]any) {
	for _, word := range []string{"token", "async_token"} {
		if text(settings, word) != "" {
			settings[word] = standInToken
		}
	}
	for _, word := range []string{"enterprise_id", "base_url", "async_base_url", "crm_rate"} {
		value := text(settings, word)
		if placeholder.Expand(caddy.NewReplacer(), placeholder.Setting{Name: word, Value: &value}) == nil {
			continue
		}
		if delete(settings, word); word == "enterprise_id" {
			settings[word] = standInEnterprise
		}
	}
}

// text returns a text of a JSON object, or "".
func text(object map[string]any, word string) string {
	value, _ := object[word].(string)
	return value
}
