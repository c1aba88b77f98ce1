package sandbox

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"
)

// maxDepth is far deeper than any request needs; the body {"actions":[{"fields":{"tags":["x"]}}]}
// has a depth of 5.
const maxDepth = 16

var (
	errNotUTF8  = errors.New("the body is not valid UTF-8")
	errNotJSON  = errors.New("the body is not valid JSON")
	errTooDeep  = errors.New("the body is nested too deeply")
	errTrailing = errors.New("the body has data after its JSON value")
)

// decodeJSON decodes like encoding/json with UseNumber, but refuses invalid UTF-8, duplicate names
// in one object, and trailing data. TeleCRM does not document its behaviour for those, so clients
// should not rely on any. Errors do not contain values.
func decodeJSON(data []byte) (any, error) {
	if !utf8.Valid(data) {
		return nil, errNotUTF8
	}
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	v, err := decodeValue(dec, 0)
	if err != nil {
		return nil, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errTrailing
	}
	return v, nil
}

func decodeValue(dec *json.Decoder, depth int) (any, error) {
	token, err := dec.Token()
	if err != nil {
		return nil, errNotJSON
	}
	if depth == maxDepth {
		return nil, errTooDeep
	}
	switch token {
	case json.Delim('{'):
		return decodeObject(dec, depth+1)
	case json.Delim('['):
		return decodeArray(dec, depth+1)
	}
	return token, nil
}

func decodeObject(dec *json.Decoder, depth int) (map[string]any, error) {
	object := make(map[string]any)
	for dec.More() {
		token, err := dec.Token()
		name, ok := token.(string)
		if err != nil || !ok {
			return nil, errNotJSON
		}
		if _, twice := object[name]; twice {
			return nil, fmt.Errorf("the name %q occurs twice in one object", name)
		}
		if object[name], err = decodeValue(dec, depth); err != nil {
			return nil, err
		}
	}
	return object, decodeEnd(dec)
}

func decodeArray(dec *json.Decoder, depth int) ([]any, error) {
	array := []any{}
	for dec.More() {
		v, err := decodeValue(dec, depth)
		if err != nil {
			return nil, err
		}
		array = append(array, v)
	}
	return array, decodeEnd(dec)
}

func decodeEnd(dec *json.Decoder) error {
	if _, err := dec.Token(); err != nil {
		return errNotJSON
	}
	return nil
}
