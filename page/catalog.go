package page

import (
	"bytes"
	"embed"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"golang.org/x/text/language"
)

//go:embed messages/*.json
var messageFiles embed.FS

// Shipped returns the texts of the plugin: English, Hindi, Tamil, Telugu, Kannada, Marathi,
// Bengali, Gujarati, German, French, Spanish and Arabic, one file each in the folder messages.
var Shipped = sync.OnceValue(func() *Catalog {
	files, err := fs.Sub(messageFiles, "messages")
	if err != nil {
		panic(err) // the name is a valid path
	}
	shipped, err := new(Catalog).With(files)
	if err != nil {
		panic(err) // a test reads the same files
	}
	return shipped
})

// Catalog contains the texts of each language. It is immutable.
type Catalog struct {
	languages map[string]*Words // by tag in lower case
}

// For returns the texts in the first available language, or else in English. Languages are BCP 47
// tags. A tag also matches without its last parts: "hi-IN" finds "hi" (RFC 4647, section 3.4).
func (c *Catalog) For(languages ...string) *Words {
	for _, tag := range languages {
		if words := c.nearest(tag); words != nil {
			return words
		}
	}
	return c.languages["en"]
}

func (c *Catalog) nearest(tag string) *Words {
	tag = strings.ReplaceAll(strings.ToLower(strings.TrimSpace(tag)), "_", "-")
	for tag != "" {
		if words, has := c.languages[tag]; has {
			return words
		}
		tag = tag[:max(strings.LastIndexByte(tag, '-'), 0)]
	}
	return nil
}

// With returns a catalog in which the message files of files, one <language>.json each, take
// precedence over c. Missing texts come from c in the same language, or else in English. An error
// names the file and, if it is about one, the key.
func (c *Catalog) With(files fs.FS) (*Catalog, error) {
	entries, err := fs.ReadDir(files, ".")
	if err != nil {
		return nil, fmt.Errorf("looking for message files: %w", err)
	}
	var names []string
	for _, entry := range entries {
		if path.Ext(entry.Name()) == ".json" {
			names = append(names, strings.TrimSuffix(entry.Name(), ".json"))
		}
	}
	if len(names) == 0 {
		return nil, errors.New("no message files found; name one after its language, such as hi.json")
	}
	// English comes first because other languages fall back on it, and "de" before "de-AT".
	slices.SortFunc(names, func(a, b string) int {
		switch {
		case a == "en":
			return -1
		case b == "en":
			return 1
		}
		return strings.Compare(a, b)
	})
	with := &Catalog{languages: maps.Clone(c.languages)}
	if with.languages == nil {
		with.languages = make(map[string]*Words)
	}
	seen := make(map[string]string)
	for _, name := range names {
		words, err := with.read(files, name, c.languages["en"])
		name += ".json"
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		tag := strings.ToLower(words.Tag())
		if other, twice := seen[tag]; twice {
			return nil, fmt.Errorf("%s: %s is for the same language; merge the two files", name, other)
		}
		seen[tag] = name
		with.languages[tag] = words
	}
	return with, nil
}

// read reads the message file of the language name, on top of the texts that c has for it. model
// has all keys and their placeholders. It is nil only for the shipped English file.
func (c *Catalog) read(files fs.FS, name string, model *Words) (*Words, error) {
	tag, err := language.Parse(name)
	if err != nil || tag.IsRoot() {
		return nil, errors.New("file name is not a language; use a tag such as hi or pt-BR")
	}
	content, err := fs.ReadFile(files, name+".json")
	if err != nil {
		return nil, fmt.Errorf("reading file: %w", err)
	}
	if !utf8.Valid(content) {
		return nil, errors.New("file is not UTF-8; save it as UTF-8")
	}
	var values map[string]json.RawMessage
	if err := json.Unmarshal(bytes.TrimPrefix(content, []byte("\uFEFF")), &values); err != nil {
		return nil, fmt.Errorf("not a JSON object of texts: %w", err)
	}
	words := &Words{language: tag, texts: make(map[Key]text)}
	if known := c.For(tag.String()); known != nil {
		maps.Copy(words.texts, known.texts)
	}
	for _, key := range slices.Sorted(maps.Keys(values)) {
		var content string
		if err := json.Unmarshal(values[key], &content); err != nil || strings.TrimSpace(content) == "" {
			return nil, fmt.Errorf("%q has no text; write one in quotes, or remove the key", key)
		}
		pieces := piecesOf(content)
		if model != nil {
			if err := model.check(Key(key), pieces); err != nil {
				return nil, fmt.Errorf("%q: %w", key, err)
			}
		}
		words.texts[Key(key)] = text{tag, pieces}
	}
	// A text also replaces its plural forms, unless the file has them too.
	maps.DeleteFunc(words.texts, func(key Key, _ text) bool {
		base, _, isPlural := strings.Cut(string(key), ".")
		return isPlural && values[base] != nil && values[string(key)] == nil
	})
	return words, nil
}

// check compares a text of another file with w's text of the same key.
func (w *Words) check(key Key, pieces []Piece) error {
	base, form, isPlural := strings.Cut(string(key), ".")
	model, known := w.texts[Key(base)]
	if !known {
		return fmt.Errorf("unknown key; known keys are: %s", strings.Join(w.keys(), ", "))
	}
	allowed := placeholdersOf(model.pieces)
	if isPlural && form == shortForm && slices.Contains(allowed, "label") {
		isPlural = false
	}
	if isPlural && (!slices.Contains(slices.Collect(maps.Values(pluralForms)), form) || !slices.Contains(allowed, "limit")) {
		return errors.New("unknown key; only zero, one, two, few or many may follow the dot, and only in keys of texts with {limit}; short only in those of texts with {label}")
	}
	for _, piece := range pieces {
		switch {
		case piece.Inserted && !slices.Contains(allowed, piece.Text):
			return fmt.Errorf("unknown placeholder {%s}; %s", piece.Text, mayHave(allowed))
		case !piece.Inserted && strings.ContainsAny(piece.Text, "{}"):
			return fmt.Errorf("unexpected brace outside a placeholder; %s", mayHave(allowed))
		}
	}
	return nil
}

// mayHave lists the placeholders that a text may contain.
func mayHave(placeholders []string) string {
	if len(placeholders) == 0 {
		return "this text does not have placeholders"
	}
	return "this text may contain {" + strings.Join(placeholders, "}, {") + "}"
}

// keys returns the keys of a message file without plural forms.
func (w *Words) keys() []string {
	var list []string
	for key := range w.texts {
		if !strings.Contains(string(key), ".") {
			list = append(list, string(key))
		}
	}
	slices.Sort(list)
	return list
}

var placeholder = regexp.MustCompile(`\{[^{}]*\}`)

// piecesOf splits a text at its placeholders.
func piecesOf(content string) []Piece {
	var pieces []Piece
	at := 0
	for _, found := range placeholder.FindAllStringIndex(content, -1) {
		if found[0] > at {
			pieces = append(pieces, Piece{Text: content[at:found[0]]})
		}
		pieces = append(pieces, Piece{Text: content[found[0]+1 : found[1]-1], Inserted: true})
		at = found[1]
	}
	if at < len(content) {
		pieces = append(pieces, Piece{Text: content[at:]})
	}
	return pieces
}

// placeholdersOf returns the names of the placeholders.
func placeholdersOf(pieces []Piece) []string {
	var list []string
	for _, piece := range pieces {
		if piece.Inserted {
			list = append(list, piece.Text)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}
