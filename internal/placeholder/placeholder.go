// Package placeholder expands the placeholders of settings when a config is loaded.
package placeholder

import (
	"errors"
	"fmt"
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
		expanded, err := expand(repl, *setting.Value)
		if err != nil {
			return fmt.Errorf("%s: %w", setting.Name, err)
		}
		*setting.Value = expanded
	}
	return nil
}

func expand(repl *caddy.Replacer, text string) (string, error) {
	if err := missing(text); err != nil {
		return "", err
	}
	expanded, err := repl.ReplaceOrErr(text, true, true)
	if err != nil && mayBeSecret(text) {
		return "", errNotPlaceholder
	}
	if err != nil {
		return "", fmt.Errorf("%w; write %s", err, instead(text))
	}
	if expanded = strings.TrimSpace(expanded); expanded == "" {
		return "", errBlank
	}
	return expanded, nil
}

// ExpandKnown expands the placeholders that have a value when the config is loaded, and leaves
// those of a request, such as {telecrm.id}, as they are.
func ExpandKnown(repl *caddy.Replacer, settings ...Setting) error {
	for _, setting := range settings {
		if err := missing(*setting.Value); err != nil {
			return fmt.Errorf("%s: %w", setting.Name, err)
		}
		*setting.Value = repl.ReplaceKnown(*setting.Value, "")
	}
	return nil
}

var (
	errBlank = errors.New("it is blank")

	// These do not quote what stands in the placeholder: it may be the secret itself.
	errNotPlaceholder = errors.New("what is in the braces is not a placeholder; write {env.NAME} or {file./path}, or the text without braces")
	errNotVariable    = errors.New("what follows {env. is not the name of an environment variable; write {env.NAME}, and set the variable for the process that runs Caddy")
	errNotFile        = errors.New("what follows {file. is not a file that can be read; write {file./path}")
)

// variable matches the names of environment variables.
var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,63}$`)

// mayBeSecret reports whether a text has a secret in braces instead of a placeholder: what is in them is
// neither a path nor a name with a prefix that somebody may have meant.
func mayBeSecret(text string) bool {
	text = strings.TrimPrefix(prefixes.ReplaceAllString(text, ""), "{")
	if strings.HasPrefix(text, "/") {
		return false // a path
	}
	return !strings.Contains(text, "/") && strings.ContainsAny(text, ":=@") || longWord.MatchString(text)
}

var (
	prefixes = regexp.MustCompile(`\b(?:env|file)[.: ]`)
	longWord = regexp.MustCompile(`[A-Za-z0-9+=_-]{33}`)
)

var (
	open        = regexp.MustCompile(`\{(?:env|file)\.[^{}]*(?:\{|$)`)
	fromOutside = regexp.MustCompile(`\{(env|file)\.([^{}]+)\}`)
)

// missing returns an error if a placeholder in the text names a variable or a file without a value.
// The replacer's own error calls every placeholder empty.
func missing(text string) error {
	if begun := open.FindString(text); begun != "" && !mayBeSecret(begun) {
		return fmt.Errorf("the placeholder %s does not end with }; write {env.NAME} or {file./path}", begun)
	}
	for _, found := range fromOutside.FindAllStringSubmatch(text, -1) {
		switch source, name := found[1], found[2]; source {
		case "env":
			if strings.TrimSpace(os.Getenv(name)) == "" {
				if !variable.MatchString(name) {
					return errNotVariable
				}
				return fmt.Errorf("the environment variable %s is not set, or empty; set it for the process that runs Caddy", name)
			}
		case "file":
			content, failure := os.ReadFile(name) //nolint:gosec // the operator names the file
			switch {
			case failure != nil && mayBeSecret(name):
				return errNotFile
			case failure != nil:
				return fmt.Errorf("reading the file of the placeholder: %w", ExplainPath(name, failure))
			case strings.TrimSpace(string(content)) == "":
				return fmt.Errorf("the file %s is empty", name)
			}
		}
	}
	return nil
}

var (
	ofVariable = regexp.MustCompile(`(\$?)\{+(?:env[.: ]\$?)?([A-Z][A-Z0-9_]*)\}`)
	ofFile     = regexp.MustCompile(`\{+(?:file[.: ])?(/[^{}]+)\}`)
)

// instead returns what to write for a placeholder that Caddy does not know.
func instead(text string) string {
	if found := ofVariable.FindStringSubmatch(text); found != nil {
		advice := fmt.Sprintf("{env.%s} for the environment variable", found[2])
		if found[1] != "" {
			advice += ", without the $"
		}
		return advice
	}
	if found := ofFile.FindStringSubmatch(text); found != nil {
		return fmt.Sprintf("{file.%s} for the file", found[1])
	}
	return "{env.NAME} for an environment variable, or {file./path} for a file"
}
