package checkconfig

import (
	"os"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/leadwire/caddy-telecrm/check"
	"github.com/leadwire/caddy-telecrm/internal/account"
)

// block is a block of a Caddyfile, with the places of its lines by their first words.
type block struct {
	place   check.Place
	lines   map[string]check.Place
	name    string // of a form or an account
	matcher string
	isTaken bool
}

// at returns the place of the line that begins with the word, or else of the block.
func (b *block) at(word string) check.Place {
	if place, has := b.lines[word]; has {
		return place
	}
	return b.place
}

// blocks are the blocks of this module in a Caddyfile.
type blocks struct {
	file     string
	forms    []*block
	accounts []*block
	options  *block // the global options

	sources map[string][]string // the lines of the files
}

// readBlocks finds the blocks. It finds none in a config that is not a Caddyfile.
func readBlocks(file string, source []byte) *blocks {
	b := &blocks{file: file, options: &block{place: check.Place{File: file}}, sources: make(map[string][]string)}
	if source == nil {
		return b
	}
	b.sources[file] = strings.Split(string(source), "\n")
	parsed, err := caddyfile.Parse(file, source)
	if err != nil {
		return b
	}
	for _, server := range parsed {
		for _, segment := range server.Segments {
			b.readSegment(segment, len(server.Keys) == 0)
		}
	}
	return b
}

// readSegment finds blocks in a directive or a global option, at any depth.
func (b *blocks) readSegment(tokens []caddyfile.Token, isGlobal bool) {
	for i, token := range tokens {
		if token.Text != "telecrm" || i > 0 && isSameLine(tokens[i-1], token) {
			continue
		}
		found := b.read(tokens[i:], isGlobal)
		if isGlobal {
			b.options = found
		} else {
			b.forms = append(b.forms, found)
		}
	}
}

func isSameLine(a, b caddyfile.Token) bool { return a.File == b.File && a.Line == b.Line }

// read reads a block that begins with the tokens.
func (b *blocks) read(tokens []caddyfile.Token, isGlobal bool) *block {
	found := &block{place: b.placeOf(tokens[0]), lines: make(map[string]check.Place)}
	var above []string // the words that begin the lines around
	current := found
	for i := 0; i < len(tokens); {
		line := lineOf(tokens[i:])
		words := textsOf(line)
		opens := words[len(words)-1] == "{"
		if opens {
			words = words[:len(words)-1]
		}
		switch {
		case i == 0 && len(words) > 1:
			found.matcher = words[1]
		case i == 0:
		case len(words) == 1 && words[0] == "}":
			above = above[:max(len(above)-1, 0)]
			if len(above) == 0 {
				return found
			}
			current = found
		case isGlobal && len(above) == 1 && words[0] == "account":
			current = &block{place: b.placeOf(line[0]), lines: make(map[string]check.Place), name: account.Default}
			if len(words) > 1 {
				current.name = words[1]
			}
			b.accounts = append(b.accounts, current)
		case len(words) > 0:
			if words[0] == "form" && len(words) > 1 && len(above) == 1 {
				found.name = words[1]
			}
			note(current, keyOf(above, words, current != found), b.placeOf(line[0]))
		}
		i += len(line)
		switch {
		case opens && len(words) > 0:
			above = append(above, keyOf(nil, words, false))
		case len(above) == 0:
			return found
		}
	}
	return found
}

// note keeps the first line with the key.
func note(in *block, key string, at check.Place) {
	if _, has := in.lines[key]; !has {
		in.lines[key] = at
	}
}

// keyOf returns the words by which the line is found, after those of the lines around it.
func keyOf(above, words []string, inAccount bool) string {
	key := words[0]
	switch key {
	case "field", "set", "action":
		if len(words) > 1 {
			key += " " + words[1]
		}
	}
	if len(above) > 1 && !inAccount {
		key = strings.Join(above[1:], " ") + " " + key
	}
	return key
}

// lineOf returns the tokens of the first line.
func lineOf(tokens []caddyfile.Token) []caddyfile.Token {
	n := 1
	for n < len(tokens) && isSameLine(tokens[n-1], tokens[n]) {
		n++
	}
	return tokens[:n]
}

func textsOf(tokens []caddyfile.Token) []string {
	texts := make([]string, 0, len(tokens))
	for _, token := range tokens {
		texts = append(texts, token.Text)
	}
	return texts
}

// placeOf returns the place of the first token of a line.
func (b *blocks) placeOf(token caddyfile.Token) check.Place {
	place := check.Place{File: token.File, Line: token.Line, Column: 1}
	lines, known := b.sources[token.File]
	if !known {
		if content, err := os.ReadFile(token.File); err == nil { // imported
			lines = strings.Split(string(content), "\n")
		}
		b.sources[token.File] = lines
	}
	if token.Line > 0 && token.Line <= len(lines) {
		line := lines[token.Line-1]
		place.Column = len([]rune(line[:len(line)-len(strings.TrimLeft(line, " \t"))])) + 1
	}
	return place
}

// form returns the block of a form with the name or the path. The same block is never returned
// twice.
func (b *blocks) form(name, path string) *block {
	for _, is := range []func(*block) bool{
		func(f *block) bool { return f.name == name && f.name != "" },
		func(f *block) bool { return f.name == "" && f.matcher == path },
		func(f *block) bool { return f.name == "" },
	} {
		for _, f := range b.forms {
			if !f.isTaken && is(f) {
				f.isTaken = true
				return f
			}
		}
	}
	return &block{place: check.Place{File: b.file}}
}

// account returns the block of an account.
func (b *blocks) account(name string) *block {
	for _, a := range b.accounts {
		if a.name == name {
			return a
		}
	}
	return &block{place: b.options.place}
}

// app returns the place of a line of the global options.
func (b *blocks) app(word string) check.Place { return b.options.at(word) }
