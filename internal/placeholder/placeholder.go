// Package placeholder expands the placeholders of settings when a config is loaded.
package placeholder

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"regexp"
	"strings"

	"github.com/caddyserver/caddy/v2"
)

// Setting is a setting with placeholders. Name is its word in the config.
type Setting struct {
	Name  string
	Value *string
}

// Expand expands the settings in place, without the spaces around them. The error for a placeholder
// without a value says why.
func Expand(repl *caddy.Replacer, settings ...Setting) error {
	for _, setting := range settings {
		if *setting.Value == "" {
			continue
		}
		expanded, err := repl.ReplaceOrErr(*setting.Value, true, true)
		expanded = strings.TrimSpace(expanded)
		if err == nil && expanded == "" {
			err = errBlank
		}
		if err != nil {
			return fmt.Errorf("%s: %w", setting.Name, explain(*setting.Value, err))
		}
		*setting.Value = expanded
	}
	return nil
}

var errBlank = errors.New("it is blank")

var fromOutside = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)

// explain says why the text could not be expanded, or returns the replacer's error, which calls
// every placeholder empty.
func explain(text string, err error) error {
	for _, found := range fromOutside.FindAllStringSubmatch(text, -1) {
		switch source, name := found[1], found[2]; source {
		case "env":
			if strings.TrimSpace(os.Getenv(name)) == "" {
				return fmt.Errorf("the environment variable %s is not set, or empty; set it for the process that runs Caddy", name)
			}
		case "file":
			content, failure := os.ReadFile(name) //nolint:gosec // the operator names the file
			switch {
			case errors.Is(failure, fs.ErrPermission):
				return fmt.Errorf("%w; let the user that runs Caddy read it", failure)
			case failure != nil:
				return fmt.Errorf("reading the file of the placeholder: %w", failure)
			case strings.TrimSpace(string(content)) == "":
				return fmt.Errorf("the file %s is empty", name)
			}
		}
	}
	return err
}
