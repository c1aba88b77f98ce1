package form

import (
	"bytes"
	"errors"
	"fmt"
	"net/url"
	"strings"
)

// readURLEncoded reads name=value pairs separated by "&" only. [url.ParseQuery] loses the order of
// names and refuses ";", which browsers send as data.
func (c *collector) readURLEncoded(src *source) error {
	raw, tooLarge := src.readAll()
	if tooLarge != nil {
		if !errors.Is(tooLarge, ErrTooLarge) {
			return tooLarge
		}
		raw = raw[:max(bytes.LastIndexByte(raw, '&'), 0)] // the rest is part of a pair
	}
	body := string(raw)
	c.form.Entries = make([]Entry, 0, min(strings.Count(body, "&")+1, c.limits.Fields))
	for pair := range strings.SplitSeq(body, "&") {
		if pair == "" {
			continue
		}
		if err := c.addPair(pair); err != nil {
			return err
		}
	}
	return tooLarge
}

func (c *collector) addPair(pair string) error {
	rawName, rawValue, _ := strings.Cut(pair, "=")
	name, err := unescape(rawName)
	if err != nil {
		return err
	}
	value, err := unescape(rawValue)
	if err != nil {
		return err
	}
	return c.add(name, value)
}

func unescape(text string) (string, error) {
	plain, err := url.QueryUnescape(text)
	if err != nil {
		// The error of net/url quotes the escape, which is visitor input.
		return "", fmt.Errorf("%w: a percent sign is not followed by two hexadecimal digits", ErrMalformed)
	}
	return plain, nil
}
