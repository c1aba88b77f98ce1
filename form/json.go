package form

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

var byteOrderMark = []byte("\uFEFF")

// readJSON reads one flat JSON object. It ignores a byte order mark before it, as RFC 8259 section
// 8.1 allows, because some scripts send one.
func (c *collector) readJSON(src *source) error {
	body, err := src.readAll()
	if err != nil {
		return err
	}
	body = bytes.TrimPrefix(body, byteOrderMark)
	if c.declared.encoding != nil {
		decoded, in := c.declared.decode(string(body))
		body, c.declared, c.form.Charset = []byte(decoded), charset{}, in.name
	}
	// Package json would silently replace both with U+FFFD. A value that the visitor did not send
	// is worse than an error.
	if !utf8.Valid(body) {
		return fmt.Errorf("%w: the JSON is not UTF-8", ErrMalformed)
	}
	if hasLoneSurrogate(body) {
		return fmt.Errorf("%w: the JSON escapes half a surrogate pair", ErrMalformed)
	}
	object := jsonObject{json.NewDecoder(bytes.NewReader(body))}
	object.UseNumber()
	return c.addObject(object)
}

// jsonObject decodes token by token. That keeps the order of members and repeated names, and finds
// a nested value before its content.
type jsonObject struct {
	*json.Decoder
}

func (c *collector) addObject(object jsonObject) error {
	if token, err := object.Token(); err != nil || token != json.Delim('{') {
		return fmt.Errorf("%w: the JSON is not an object", ErrMalformed)
	}
	for object.More() {
		token, err := object.next()
		if err != nil {
			return err
		}
		name, _ := token.(string) // package json accepts only strings as names
		if err := c.addMember(object, name); err != nil {
			return err
		}
	}
	if _, err := object.next(); err != nil {
		return err
	}
	if _, err := object.Token(); !errors.Is(err, io.EOF) {
		return fmt.Errorf("%w: the JSON continues after the object", ErrMalformed)
	}
	return nil
}

func (c *collector) addMember(object jsonObject, name string) error {
	token, err := object.next()
	if err != nil {
		return err
	}
	if token != json.Delim('[') {
		return c.addScalar(name, token)
	}
	for object.More() {
		token, err := object.next()
		if err != nil {
			return err
		}
		if err := c.addScalar(name, token); err != nil {
			return err
		}
	}
	_, err = object.next()
	return err
}

func (c *collector) addScalar(name string, token json.Token) error {
	switch value := token.(type) {
	case nil:
		return nil
	case string:
		return c.add(name, value)
	case json.Number:
		return c.add(name, unambiguous(value.String()))
	case bool:
		return c.add(name, strconv.FormatBool(value))
	default:
		return fmt.Errorf("%w: the JSON object is nested; send a flat object of strings, numbers, booleans and arrays of them", ErrMalformed)
	}
}

// unambiguous adds a decimal to a number with three of them. As text, "1.500" could be a number that
// someone typed, and the dot a group separator.
func unambiguous(number string) string {
	if _, fraction, found := strings.Cut(number, "."); found && len(fraction) == 3 && !strings.ContainsAny(number, "eE") {
		return number + "0"
	}
	return number
}

// next returns the next token. Its error omits package json's, which quotes the body.
func (o jsonObject) next() (json.Token, error) {
	token, err := o.Token()
	if err != nil {
		return nil, fmt.Errorf("%w: the JSON is invalid at byte %d", ErrMalformed, o.InputOffset())
	}
	return token, nil
}

// hasLoneSurrogate reports whether body escapes half of a UTF-16 surrogate pair without the other.
// It does not track where strings begin and end: a backslash outside a string fails later as broken
// JSON.
func hasLoneSurrogate(body []byte) bool {
	for {
		start := bytes.IndexByte(body, '\\')
		if start < 0 {
			return false
		}
		body = body[start:]
		first, ok := unicodeEscape(body)
		switch {
		case !ok:
			body = body[min(2, len(body)):]
		case !utf16.IsSurrogate(first):
			body = body[escapeLength:]
		default:
			second, ok := unicodeEscape(body[escapeLength:])
			if !ok || utf16.DecodeRune(first, second) == utf8.RuneError {
				return true
			}
			body = body[2*escapeLength:]
		}
	}
}

const escapeLength = len(`\uXXXX`)

// unicodeEscape returns the UTF-16 code unit of an escape at the beginning of text.
func unicodeEscape(text []byte) (rune, bool) {
	if len(text) < escapeLength || !bytes.HasPrefix(text, []byte(`\u`)) {
		return 0, false
	}
	var unit [2]byte
	_, err := hex.Decode(unit[:], text[len(`\u`):escapeLength])
	return rune(binary.BigEndian.Uint16(unit[:])), err == nil
}
