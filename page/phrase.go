package page

import (
	"slices"
	"strings"

	"golang.org/x/text/language"
	"golang.org/x/text/unicode/bidi"
)

// text is one of a message file.
type text struct {
	language language.Tag
	pieces   []Piece // in those that are inserted, the placeholder's name
}

// Phrase is a text with its placeholders filled in.
type Phrase struct {
	// Lang is the language, Dir the direction that it is written in. They are
	// empty for the operator's own words, whose language is not known.
	Lang, Dir string
	// Foreign tells that it is in another language than was asked for,
	// because nobody has translated it.
	Foreign bool
	Pieces  []Piece
}

// Piece is a part of a phrase.
type Piece struct {
	Text     string
	Inserted bool // it stands for a placeholder, and may be in any language
}

// Said are the operator's own words.
func Said(words string) Phrase {
	if words == "" {
		return Phrase{}
	}
	return Phrase{Pieces: []Piece{{Text: words}}}
}

// phrase fills values into the placeholders of t. What they hold is never
// read for placeholders again.
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

// isEmpty reports whether the phrase says nothing.
func (p Phrase) isEmpty() bool { return len(p.Pieces) == 0 }

// Unicode's marks around text whose direction is its own.
const firstStrongIsolate, popIsolate = "\u2068", "\u2069"

// String is the phrase as plain text. If any of it runs from right to left,
// what is inserted is isolated, so that it leaves the order of the words
// around it alone.
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

// html is the phrase for an element, in which what is inserted is isolated.
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

// runsLeft reports whether the character belongs to a script that is written
// from right to left, or makes text run so.
func runsLeft(r rune) bool {
	properties, _ := bidi.LookupRune(r)
	return slices.Contains([]bidi.Class{bidi.R, bidi.AL, bidi.AN, bidi.RLE, bidi.RLO, bidi.RLI}, properties.Class())
}

// alike reports whether two tags are of one language: "en" and "en-GB".
func alike(a, b string) bool {
	first, _, _ := strings.Cut(a, "-")
	second, _, _ := strings.Cut(b, "-")
	return strings.EqualFold(first, second)
}
