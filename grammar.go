package caddytelecrm

import (
	"slices"
	"strconv"
	"strings"

	"github.com/dustin/go-humanize"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

// word is one word that a Caddyfile block knows, and how to read its line
// once the word itself is consumed.
type word struct {
	name string
	many bool // may be written more than once
	read func(d *caddyfile.Dispenser) error
}

// readBlock reads the block that follows, if there is one. An unknown word
// and one that is written twice are errors.
func readBlock(d *caddyfile.Dispenser, where string, words []word) error {
	seen := make(map[string]bool)
	for nesting := d.Nesting(); d.NextBlock(nesting); {
		name := d.Val()
		i := slices.IndexFunc(words, func(w word) bool { return w.name == name })
		if i < 0 {
			return d.Errf("unknown word %q in %s; known words are: %s", name, where, names(words))
		}
		if seen[name] && !words[i].many {
			return d.Errf("%s is written twice in %s", name, where)
		}
		seen[name] = true
		if err := words[i].read(d); err != nil {
			return err
		}
	}
	return nil
}

func names(words []word) string {
	list := make([]string, 0, len(words))
	for _, w := range words {
		list = append(list, w.name)
	}
	return strings.Join(list, ", ")
}

// text reads exactly one argument.
func text(name string, into *string) word {
	return word{name: name, read: func(d *caddyfile.Dispenser) error {
		if !d.AllArgs(into) {
			return d.Errf("%s takes one value", name)
		}
		return nil
	}}
}

// joined reads one or two arguments as one text.
func joined(name string, into *string) word {
	return word{name: name, read: func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		if len(args) == 0 || len(args) > 2 {
			return d.Errf("%s takes one or two values", name)
		}
		*into = strings.Join(args, " ")
		return nil
	}}
}

// whole reads one whole number above zero.
func whole(name string, into *int) word {
	return word{name: name, read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one whole number", name)
		}
		n, err := strconv.Atoi(arg)
		if err != nil || n < 1 {
			return d.Errf("%s: %q is not a whole number above zero", name, arg)
		}
		*into = n
		return nil
	}}
}

// alone reads a word without arguments.
func alone(name string, into *bool) word {
	return word{name: name, read: func(d *caddyfile.Dispenser) error {
		if d.NextArg() {
			return d.Errf("%s takes nothing more; %q is too much", name, d.Val())
		}
		*into = true
		return nil
	}}
}

func duration(name string, into *caddy.Duration) word {
	return word{name: name, read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one duration, such as 10s", name)
		}
		return readDuration(d, name, arg, into)
	}}
}

func readDuration(d *caddyfile.Dispenser, name, arg string, into *caddy.Duration) error {
	dur, err := caddy.ParseDuration(arg)
	if err != nil || dur <= 0 {
		return d.Errf("%s: %q is not a duration above zero; write one such as 10s", name, arg)
	}
	*into = caddy.Duration(dur)
	return nil
}

func size(name string, into *int64) word {
	return word{name: name, read: func(d *caddyfile.Dispenser) error {
		var arg string
		if !d.AllArgs(&arg) {
			return d.Errf("%s takes one size, such as 64KiB", name)
		}
		bytes, err := humanize.ParseBytes(arg)
		if err != nil || bytes == 0 || bytes > 1<<40 {
			return d.Errf("%s: %q is not a size above zero; write one such as 64KiB", name, arg)
		}
		*into = int64(bytes)
		return nil
	}}
}
