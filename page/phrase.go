package page

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/bidi"
)

// text is a text of a message file.
type text struct {
	language language.Tag
	pieces   []Piece // an inserted piece contains the placeholder's name
}

// Phrase is a text with its placeholders filled in.
type Phrase struct {
	// Lang is the language and Dir its direction. Both are empty for operator texts, whose language
	// is unknown.
	Lang, Dir string
	// Foreign means that the text is not translated into the requested language.
	Foreign bool
	Pieces  []Piece
}

// Piece is a part of a phrase.
type Piece struct {
	Text     string
	Inserted bool // the value of a placeholder, in any language
}

// Said returns an operator text as a phrase.
func Said(words string) Phrase {
	if words == "" {
		return Phrase{}
	}
	return Phrase{Pieces: []Piece{{Text: words}}}
}

// phrase fills values into the placeholders of t. It does not parse the values for placeholders.
func (w *Words) phrase(t text, values map[string]string) Phrase {
	p := Phrase{Lang: t.language.String(), Dir: direction(t.language), Foreign: !alike(t.language.String(), w.Tag())}
	p.Pieces = make([]Piece, len(t.pieces))
	for i, piece := range t.pieces {
		if piece.Inserted {
			piece.Text = values[piece.Text]
		}
		p.Pieces[i] = piece
	}
	return p
}

// isEmpty reports whether the phrase is empty.
func (p Phrase) isEmpty() bool { return len(p.Pieces) == 0 }

// Unicode's marks around text with its own direction.
const firstStrongIsolate, popIsolate = "\u2068", "\u2069"

// String returns the phrase as plain text. If any of it runs from right to left, it isolates the
// values, so that they do not reorder the words around them.
func (p Phrase) String() string {
	mixed := false
	for _, piece := range p.Pieces {
		mixed = mixed || strings.ContainsFunc(piece.Text, runsLeft)
	}
	var s strings.Builder
	for _, piece := range p.Pieces {
		if mixed && piece.Inserted {
			s.WriteString(firstStrongIsolate + piece.Text + popIsolate)
			continue
		}
		s.WriteString(piece.Text)
	}
	return s.String()
}

// html returns the phrase as HTML with isolated values.
func (p Phrase) html() string {
	var s strings.Builder
	for _, piece := range p.Pieces {
		if piece.Inserted {
			s.WriteString("<bdi>" + escape(piece.Text) + "</bdi>")
			continue
		}
		s.WriteString(escape(piece.Text))
	}
	return s.String()
}

// runsLeft reports whether the character is right-to-left, or makes text so.
func runsLeft(r rune) bool {
	properties, _ := bidi.LookupRune(r)
	return slices.Contains([]bidi.Class{bidi.R, bidi.AL, bidi.AN, bidi.RLE, bidi.RLO, bidi.RLI}, properties.Class())
}

// alike reports whether two tags are of the same language, such as "en" and "en-GB".
func alike(a, b string) bool {
	first, _, _ := strings.Cut(a, "-")
	second, _, _ := strings.Cut(b, "-")
	return strings.EqualFold(first, second)
}
