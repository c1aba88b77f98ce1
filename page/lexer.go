package page

import "bytes"

// lexer finds the tags of a page that comes in pieces of any size, as a browser does
// (https://html.spec.whatwg.org/multipage/parsing.html#tokenization). It keeps only the current
// tag, and only if that matters.
//
// [html.Tokenizer] would keep whole scripts and comments in memory, and copy each attribute of each
// tag. FuzzTokens compares the two.
type lexer struct {
	state lexState
	// matched counts, depending on the state, the matched characters of a keyword, or the dashes or
	// brackets just before.
	matched int
	// escaped is the escape level of a script's text: 0 to 2.
	escaped int

	// raw is the element in lower case whose text has no tags, or "". The caller sets it.
	raw string
	// sections means that <![CDATA[ begins a section. The caller sets it.
	sections bool

	// Current tag.
	at          int    // start in the last piece, if it is completely in it
	name        []byte // in lower case, cut to maxName
	isEnd       bool
	selfClosing bool
	text        []byte // if it matters
	isCut       bool   // text is incomplete
}

// lexState is the lexer's state. It is an alias because each switch handles only some of the
// states.
type lexState = uint8

const (
	inText lexState = iota
	afterLess
	afterLessSlash
	inName
	beforeAttribute // from here to afterSlash: in a tag, after its name
	inAttribute
	afterAttribute
	beforeValue
	inDoubleQuotes
	inSingleQuotes
	inValue
	afterSlash
	inDeclaration // after "<!"
	inDeclarationDash
	inCommentStart
	inComment
	inCommentEnd // after "--!"
	inSectionStart
	inSection
	inBogus // a comment that ends with the next ">"
	inRaw
	inRawLess
	inRawEnd
	inScriptBang
	inScriptEscaped
	inScriptEscapedLess
	inScriptWord
)

const (
	maxName = 32      // maximum length of a name in bytes
	maxTag  = 8 << 10 // maximum length of a tag in bytes
)

const sectionStart = "[CDATA["

// next reads to the end of the next tag. It returns the number of bytes read from p, and whether a
// tag ends there. If not, it has read all of p.
func (l *lexer) next(p []byte) (n int, isTag bool) {
	from := 0 // start of the tag's attributes in p
	for n < len(p) {
		if l.state < beforeAttribute || l.state > afterSlash {
			n = l.readContent(p, n)
			from = n
			continue
		}
		n, isTag = l.readTag(p, n)
		if isTag {
			break
		}
	}
	if isTag || l.state >= beforeAttribute && l.state <= afterSlash {
		l.keep(p[from:n])
	}
	return n, isTag
}

// keep appends to the text of a tag that matters.
func (l *lexer) keep(p []byte) {
	if len(l.text) == 0 {
		return
	}
	room := maxTag - len(l.text)
	l.isCut = l.isCut || len(p) > room
	l.text = append(l.text, p[:min(len(p), room)]...)
}

// beginTag continues after the tag's name.
func (l *lexer) beginTag() {
	l.state = beforeAttribute
	l.selfClosing, l.isCut = false, false
	l.text = l.text[:0]
	if l.isEnd {
		return
	}
	switch string(l.name) {
	case "base", "form", "html", "meta":
		l.text = append(append(l.text, '<'), l.name...)
	}
}

// readTag reads characters of a tag after its name. It reports whether the tag ends.
func (l *lexer) readTag(p []byte, n int) (int, bool) {
	c := p[n]
	switch l.state {
	case inDoubleQuotes:
		return l.skip(p, n, '"', beforeAttribute), false
	case inSingleQuotes:
		return l.skip(p, n, '\'', beforeAttribute), false
	case inValue:
		if isSpace(c) {
			l.state = beforeAttribute
		}
	case beforeValue:
		switch {
		case isSpace(c):
		case c == '"':
			l.state = inDoubleQuotes
		case c == '\'':
			l.state = inSingleQuotes
		default:
			l.state = inValue
		}
	default:
		switch {
		case isSpace(c) && (l.state == inAttribute || l.state == afterAttribute):
			l.state = afterAttribute
		case isSpace(c):
			l.state = beforeAttribute
		case c == '/':
			l.state = afterSlash
		case c == '=' && (l.state == inAttribute || l.state == afterAttribute):
			l.state = beforeValue
		case c != '>':
			l.state = inAttribute
		}
	}
	if c == '>' {
		l.selfClosing = l.state == afterSlash
		l.state = inText
	}
	return n + 1, c == '>'
}

// skip continues after the next c, in another state.
func (l *lexer) skip(p []byte, n int, c byte, state lexState) int {
	i := bytes.IndexByte(p[n:], c)
	if i < 0 {
		return len(p)
	}
	l.state, l.matched = state, 0
	return n + i + 1
}

// readContent reads characters that are not a tag, or not known to be one yet.
func (l *lexer) readContent(p []byte, n int) int {
	if l.state == inText && l.raw != "" {
		l.state, l.escaped = inRaw, 0
	}
	c := p[n]
	switch l.state {
	case inText:
		return l.skip(p, n, '<', afterLess)
	case inBogus:
		return l.skip(p, n, '>', inText)
	case inRaw:
		return l.skip(p, n, '<', inRawLess)
	case afterLess:
		switch {
		case isLetter(c):
			l.state, l.at, l.isEnd, l.name = inName, n-len("<"), false, l.name[:0]
		case c == '/':
			l.state = afterLessSlash
			n++
		case c == '!':
			l.state = inDeclaration
			n++
		case c == '?':
			l.state = inBogus
		default:
			l.state = inText
		}
	case afterLessSlash:
		switch {
		case isLetter(c):
			l.state, l.at, l.isEnd, l.name = inName, n-len("</"), true, l.name[:0]
		case c == '>':
			l.state = inText
			n++
		default:
			l.state = inBogus
		}
	case inName:
		if endsName(c) {
			l.beginTag()
			return n
		}
		if len(l.name) < maxName {
			l.name = append(l.name, lower(c))
		}
		n++
	case inRawLess, inRawEnd, inScriptBang, inScriptEscaped, inScriptEscapedLess, inScriptWord:
		return l.readRaw(p, n)
	default:
		return l.readDeclaration(p, n)
	}
	return n
}

// readDeclaration reads characters of a declaration or comment, which begins with "<!".
func (l *lexer) readDeclaration(p []byte, n int) int {
	c := p[n]
	switch l.state {
	case inDeclaration:
		switch {
		case c == '-':
			l.state = inDeclarationDash
			return n + 1
		case c == '[' && l.sections:
			l.state, l.matched = inSectionStart, 0
			return n
		}
		l.state = inBogus
		return n
	case inDeclarationDash:
		if c != '-' {
			l.state = inBogus
			return n
		}
		l.state, l.matched = inCommentStart, 0
	case inCommentStart, inComment, inCommentEnd:
		return l.readComment(p, n)
	case inSectionStart, inSection:
		return l.readSection(p, n)
	default:
		l.state = inText
	}
	return n + 1
}

// readComment reads characters of a comment after "<!--".
func (l *lexer) readComment(p []byte, n int) int {
	c := p[n]
	switch l.state {
	case inCommentStart:
		switch {
		case c == '-':
			l.matched++
		case c == '>':
			l.state = inText
		case c == '!' && l.matched >= 2:
			l.state = inCommentEnd
		default:
			l.state, l.matched = inComment, 0
		}
	case inComment:
		switch {
		case c == '-':
			l.matched++
		case c == '>' && l.matched >= 2:
			l.state = inText
		case c == '!' && l.matched >= 2:
			l.state = inCommentEnd
		case l.matched != 0:
			l.matched = 0
		default:
			return indexOrEnd(p, n, '-')
		}
	case inCommentEnd:
		switch c {
		case '>':
			l.state = inText
		case '-':
			l.state, l.matched = inComment, 1
		default:
			l.state, l.matched = inComment, 0
		}
	}
	return n + 1
}

// readSection reads characters of a section from the "[" of its start on.
func (l *lexer) readSection(p []byte, n int) int {
	c := p[n]
	if l.state == inSectionStart {
		if c != sectionStart[l.matched] {
			l.state = inBogus
			return n
		}
		if l.matched++; l.matched == len(sectionStart) {
			l.state, l.matched = inSection, 0
		}
		return n + 1
	}
	switch {
	case c == ']':
		l.matched++
	case c == '>' && l.matched >= 2:
		l.state = inText
	case l.matched != 0:
		l.matched = 0
	default:
		return indexOrEnd(p, n, ']')
	}
	return n + 1
}

// readRaw reads characters that may end an element's raw text.
func (l *lexer) readRaw(p []byte, n int) int {
	c := p[n]
	switch l.state {
	case inRawLess:
		switch {
		case c == '/':
			l.state, l.matched = inRawEnd, 0
			return n + 1
		case c == '!' && l.raw == "script":
			l.state, l.matched = inScriptBang, 0
			return n + 1
		}
		l.state = inRaw
	case inRawEnd:
		switch {
		case l.matched < len(l.raw) && lower(c) == l.raw[l.matched]:
			l.matched++
			return n + 1
		case l.matched == len(l.raw) && endsName(c):
			l.at, l.isEnd = n-len("</")-len(l.raw), true
			l.name, l.raw = append(l.name[:0], l.raw...), ""
			l.beginTag()
		case l.escaped > 0:
			l.state, l.matched = inScriptEscaped, 0
		default:
			l.state = inRaw
		}
	default:
		return l.readEscaped(p, n)
	}
	return n
}

// readEscaped reads characters of a script between "<!--" and "-->". There, a "<script" needs an
// end tag of its own.
func (l *lexer) readEscaped(p []byte, n int) int {
	const script = "script"
	c := p[n]
	switch l.state {
	case inScriptBang:
		if c != '-' {
			l.state = inRaw
			return n
		}
		if l.matched++; l.matched == 2 {
			l.state, l.escaped = inScriptEscaped, 1
		}
		return n + 1
	case inScriptEscapedLess:
		switch {
		case c == '/' && l.escaped == 1:
			l.state = inRawEnd
			return n + 1
		case c == '/':
			l.state = inScriptWord
			return n + 1
		case isLetter(c) && l.escaped == 1:
			l.state = inScriptWord
		default:
			l.state = inScriptEscaped
		}
	case inScriptWord:
		switch {
		case l.matched < len(script) && lower(c) == script[l.matched]:
			l.matched++
			return n + 1
		case l.matched == len(script) && endsName(c):
			l.escaped = 3 - l.escaped
		}
		l.state, l.matched = inScriptEscaped, 0
	default:
		switch {
		case c == '-':
			l.matched++
		case c == '>' && l.matched >= 2:
			l.state, l.escaped = inRaw, 0
		case c == '<':
			l.state, l.matched = inScriptEscapedLess, 0
		default:
			l.matched = 0
		}
		return n + 1
	}
	return n
}

// indexOrEnd returns the position of the next c.
func indexOrEnd(p []byte, n int, c byte) int {
	if i := bytes.IndexByte(p[n:], c); i >= 0 {
		return n + i
	}
	return len(p)
}

func isSpace(c byte) bool { return c == ' ' || '\t' <= c && c <= '\r' && c != '\v' }

func isLetter(c byte) bool { return 'a' <= lower(c) && lower(c) <= 'z' }

func lower(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		return c + 'a' - 'A'
	}
	return c
}

func endsName(c byte) bool { return isSpace(c) || c == '/' || c == '>' }
