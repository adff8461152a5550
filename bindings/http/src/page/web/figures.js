// How figures are shown: three significant digits, SI prefixes, a dash for what is not known.

import { lang } from "./words.js";

export const UNKNOWN = "–";
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

const formats = new Map();
function format(options) {
  const key = lang() + JSON.stringify(options);
  if (!formats.has(key)) formats.set(key, new Intl.NumberFormat(lang(), options));
  return formats.get(key);
}

export function number(value, digits = 3, least = 1) {
  if (!known(value)) return UNKNOWN;
  const whole = Math.abs(value) >= 10 ** (digits - 1);
  return format(whole ? { maximumFractionDigits: 0 } : { maximumSignificantDigits: digits, minimumSignificantDigits: least }).format(value);
}

const PREFIXES = [[1e9, "G"], [1e6, "M"], [1e3, "k"], [1, ""], [1e-3, "m"], [1e-6, "µ"]];

/** A measured figure with its unit, as `1.20 kJ`: three digits always, so that it does not jump as it changes. */
export function quantity(value, unit, digits = 3) {
  if (!known(value)) return UNKNOWN;
  if (value === 0) return `0 ${unit}`;
  // 999.6 rounds to 1000, which is 1 k.
  const size = Math.abs(Number(value.toPrecision(3)));
  const [factor, prefix] = PREFIXES.find(([factor]) => size >= factor) ?? PREFIXES.at(-1);
  return `${number(value / factor, 3, digits)} ${prefix}${unit}`;
}

export const watts = (value) => quantity(value, "W");
/** Of a scale: as few digits as it needs. */
export const tick = (value) => quantity(value, "W", 1);
export const joules = (value) => quantity(value, "J");
export const wattHours = (joules) => (known(joules) ? quantity(joules / 3600, "Wh") : UNKNOWN);
export const kilowattHours = (kwh) => (known(kwh) ? quantity(kwh * 1000, "Wh") : UNKNOWN);
export const grams = (value) => (known(value) && value >= 1000 ? `${number(value / 1000)} kgCO₂e` : quantity(value, "gCO₂e"));
export const gramsPerHour = (value) => quantity(value, "g/h");
export function percent(ratio) {
  if (!known(ratio)) return UNKNOWN;
  if (ratio > 0 && ratio < 0.001) return `< ${number(0.1)} %`;
  return `${number(ratio * 100, 2)} %`;
}

export function money(amount, currency) {
  if (!known(amount)) return UNKNOWN;
  try {
    return format({ style: "currency", currency, maximumSignificantDigits: 3 }).format(amount);
  } catch {
    return `${number(amount)} ${currency ?? ""}`.trim();
  }
}

/** A length of time: `42 s`, `3 min`, `2 h`. */
export function length(seconds) {
  if (!known(seconds)) return UNKNOWN;
  const [factor, unit] = seconds < 90 ? [1, "second"] : seconds < 5400 ? [60, "minute"] : seconds < 129600 ? [3600, "hour"] : [86400, "day"];
  return format({ style: "unit", unit, unitDisplay: lang() === "ko" ? "short" : "narrow", maximumFractionDigits: 0 }).format(seconds / factor);
}

/** A moment, as exactly as a chart of `span` seconds needs. */
export function moment(date, span) {
  const options = span <= 3600 ? { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" }
    : span <= 172800 ? { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }
      : { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
  return new Intl.DateTimeFormat(lang(), options).format(date);
}

/**
 * Grams of CO2e an hour at a power: watts times what a kilowatt-hour emits, which the server says. The only figure that the
 * page multiplies itself.
 */
export function carbonRate(power, gramsPerKilowattHour) {
  return known(power) && known(gramsPerKilowattHour) ? power * gramsPerKilowattHour / 1000 : null;
}
