// Package grammar reads blocks of a Caddyfile by the words that they know.
package grammar

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/internal/suggest"
	"github.com/leadwire/caddy-telecrm/mapping"
)

// Word is a word that a block knows.
type Word struct {
	Name string
	// Many allows the word more than once in a block.
	Many bool
	// Read reads the rest of the line, and the block that may follow it.
	Read func(d *caddyfile.Dispenser) error
}

// Block reads the block that follows, if there is one. It returns an error for an unknown word and
// for one that is repeated. The error begins with where, the name of the block. After a mistake it
// continues with the next word, so that the error has all mistakes of the block.
func Block(d *caddyfile.Dispenser, where string, words []Word) error {
	var mistakes error
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		if err := line(d, where, words, seen); err != nil {
			mistakes = And(mistakes, err)
			skip(d)
		}
	}
	return mistakes
}

// And returns an error that reports both mistakes. Each may be nil.
func And(mistakes, another error) error {
	switch {
	case mistakes == nil:
		return another
	case another == nil:
		return mistakes
	}
	return fmt.Errorf("%w; and %w", mistakes, another)
}

// line reads a word with its arguments and block.
func line(d *caddyfile.Dispenser, where string, words []Word, seen map[string]bool) error {
	name := d.Val()
	if name == "{" {
		err := d.Errf("%s: the word before the { does not take a block", where)
		for outside := d.Nesting() - 1; d.NextBlock(outside); {
		}
		return err
	}
	i := slices.IndexFunc(words, func(w Word) bool { return w.Name == name })
	if i < 0 {
		return d.WrapErr(fmt.Errorf("%s: %w", where, unknown(name, names(words))))
	}
	if seen[name] && !words[i].Many {
		return d.Errf("%s: %s is repeated; write it once", where, name)
	}
	seen[name] = true
	if err := checkQuotes(d); err != nil {
		return err
	}
	isAlone, number := d.CountRemainingArgs() == 0, d.Line()
	err := words[i].Read(d)
	if bare := errors.Unwrap(err); bare != nil && isAlone && d.Line() == number && !strings.HasSuffix(bare.Error(), isItSet) {
		return d.WrapErr(fmt.Errorf("%w%s", bare, isItSet))
	}
	return err
}

// isItSet ends an error about a value that is missing. Caddy removes a {$NAME} that is not set
// before the words are read.
const isItSet = "; if it is written as {$NAME}, is the variable set?"

// TooFew returns the error about a line with too few arguments.
func TooFew(d *caddyfile.Dispenser, takes string) error {
	return d.WrapErr(errors.New(takes + isItSet))
}

// skip goes to the end of the line, and of its block.
func skip(d *caddyfile.Dispenser) {
	d.RemainingArgs()
	for nesting := d.Nesting(); d.NextBlock(nesting); {
	}
}

func names(words []Word) []string {
	list := make([]string, 0, len(words))
	for _, w := range words {
		list = append(list, w.Name)
	}
	return list
}

// Check returns what is wrong with an argument, or nil.
type Check func(text string) error

// Apply returns the first finding of the checks, with the word's name and its place in the
// Caddyfile. Text with a placeholder that Caddy expands later is not checked.
func Apply(d *caddyfile.Dispenser, name, text string, checks ...Check) error {
	if IsExpandedLater(text) {
		return nil
	}
	for _, check := range checks {
		if err := check(text); err != nil {
			return d.WrapErr(fmt.Errorf("%s: %w", name, err))
		}
	}
	return nil
}

var expandedLater = regexp.MustCompile(`\{(env|file|system|time)\.`)

// IsExpandedLater reports whether the text has a placeholder that gets its value when the config is
// loaded.
func IsExpandedLater(text string) bool { return expandedLater.MatchString(text) }

// OneOf returns a check for one of the known words.
func OneOf(known ...string) Check {
	return func(text string) error {
		if slices.Contains(known, text) {
			return nil
		}
		return suggest.Unknown("word", text, known...)
	}
}

// Here remembers the current place in the Caddyfile, for an error that is found later. The returned
// function adds the place to an error.
func Here(d *caddyfile.Dispenser) func(error) error {
	here := caddyfile.NewDispenser([]caddyfile.Token{d.Token()})
	here.Next()
	return here.WrapErr
}

// Text returns a word that takes exactly one argument, which passes the checks.
func Text(name string, into *string, checks ...Check) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		switch {
		case len(args) == 0:
			return d.Errf("%s takes one value, got none", name)
		case len(args) == 1 && args[0] == "":
			return d.Errf("%s takes one value, got \"\""+isItSet, name)
		case len(args) > 1:
			return d.Errf("%s takes one value, got %q too; put a value with spaces in straight double quotes", name, args[1])
		}
		*into = args[0]
		return Apply(d, name, args[0], checks...)
	}}
}

// Written returns a word that takes one argument without placeholders.
func Written(name string, into *string) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		if err := Text(name, into).Read(d); err != nil {
			return err
		}
		if err := mapping.CheckWritten(*into); err != nil {
			return d.WrapErr(fmt.Errorf("%s: %w", name, err))
		}
		return nil
	}}
}

// Joined returns a word that takes one or two arguments and joins them with a space. The result
// passes the checks.
func Joined(name string, into *string, checks ...Check) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 || len(args) > 2 {
			return d.Errf("%s takes one or two values", name)
		}
		*into = strings.Join(args, " ")
		return Apply(d, name, *into, checks...)
	}}
}

// Whole returns a word that takes one whole number above zero.
func Whole(name string, into *int) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one whole number", name)
		}
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return d.Errf("%s: must be a whole number above zero, got %q", name, arg)
		}
		*into = n
		return nil
	}}
}

// Flag returns a word that takes no argument and sets into.
func Flag(name string, into *bool) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.Errf("%s takes no argument, got %q", name, d.Val())
		}
		*into = true
		return nil
	}}
}

// Duration returns a word that takes one duration above zero.
func Duration(name string, into *caddy.Duration) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one duration, such as 10s", name)
		}
		return ParseDuration(d, name, arg, into)
	}}
}

// ParseDuration sets into to the duration that arg holds. Errors call it by name.
func ParseDuration(d *caddyfile.Dispenser, name, arg string, into *caddy.Duration) error {
	dur, err := caddy.ParseDuration(arg)
	if err != nil || dur <= 0 {
		return d.Errf("%s: must be a duration above zero, got %q; write one such as 10s", name, arg)
	}
	*into = caddy.Duration(dur)
	return nil
}

// leastSize is the least size that somebody may mean. Below it, a unit was forgotten.
const leastSize = 1000

// Size returns a word that takes one size in bytes, such as 64KiB.
func Size(name string, into *int64) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one size, such as 64KiB", name)
		}
		bytes, err := humanize.ParseBytes(arg)
		if err != nil || bytes == 0 || bytes > 1<<40 {
			return d.Errf("%s: must be a size above zero, got %q; write one such as 64KiB", name, arg)
		}
		if bytes < leastSize {
			return d.Errf("%s: %q is %d bytes; write a unit, such as 64KiB", name, arg, bytes)
		}
		*into = int64(bytes)
		return nil
	}}
}

// Number returns a word that takes one finite number.
func Number(name string, into **float64) Word {
	return Word{Name: name, Read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one number", name)
		}
		n, err := strconv.ParseFloat(arg, 64)
		if err != nil || math.IsInf(n, 0) || math.IsNaN(n) {
			return d.Errf("%s: must be a number, got %q", name, arg)
		}
		*into = &n
		return nil
	}}
}
