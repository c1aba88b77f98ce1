package form

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/transform"
)

const (
	byteOrderMark = "\uFEFF"
	// maxDeclaredJSON bounds JSON that declares its encoding, in bytes. It is decoded as a whole.
	maxDeclaredJSON = 1 << 20
	// jsonBuffer is how many bytes of a JSON body are read at once. Most bodies have fewer.
	jsonBuffer = 1 << 10
)

// readJSON reads one flat JSON object. It ignores a byte order mark before it, as RFC 8259 section
// 8.1 allows, because some scripts send one.
func (c *collector) readJSON(src *source) error {
	text, err := c.jsonText(src)
	if err != nil {
		return err
	}
	if begin, _ := text.Peek(len(byteOrderMark)); string(begin) == byteOrderMark {
		_, _ = text.Discard(len(byteOrderMark))
	}
	// Package json would replace other bytes with U+FFFD, as it does with half of an escaped surrogate
	// pair. That is what browsers do too, when a script has cut an emoji in two.
	valid := transform.NewReader(text, encoding.UTF8Validator)
	object := jsonObject{json.NewDecoder(&shortTokens{json: valid, most: c.longestToken()})}
	object.UseNumber()
	err = c.addObject(object)
	if src.err != nil { // the object is incomplete
		c.form, c.sent = Form{}, nil
		return readError(src.err)
	}
	return err
}

// longestToken returns how many bytes of a token to read. If a value has more, it is too long, however
// it is written.
func (c *collector) longestToken() int {
	const longestEscape, most = len(`\u0041`), 1 << 27
	return max(MaxKept, (min(c.limits.Value, most)+1)*longestEscape)
}

// jsonText returns the body's text in UTF-8.
func (c *collector) jsonText(src *source) (*bufio.Reader, error) {
	if c.declared.encoding == nil {
		return bufio.NewReaderSize(src, jsonBuffer), nil
	}
	body, err := io.ReadAll(io.LimitReader(src, maxDeclaredJSON+1))
	switch {
	case err != nil:
		return nil, readError(err)
	case len(body) > maxDeclaredJSON:
		return nil, fmt.Errorf("%w: JSON in another encoding than UTF-8 has more than %d bytes", ErrTooLarge, maxDeclaredJSON)
	}
	decoded, in := c.declared.decode(string(body))
	c.declared, c.form.Charset = charset{}, in.name
	return bufio.NewReader(strings.NewReader(decoded)), nil
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
