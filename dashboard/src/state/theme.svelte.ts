/** Light or dark: as the system has it, until somebody chooses. */

const KEY = 'runhaven.theme';
const system = matchMedia('(prefers-color-scheme: dark)');

export const theme = $state({ dark: false });

function apply(): void {
  const chosen = localStorage.getItem(KEY);
  theme.dark = chosen ? chosen === 'dark' : system.matches;
  document.documentElement.dataset.theme = theme.dark ? 'dark' : 'light';
}

export function startTheme(): void {
  system.addEventListener('change', apply);
  apply();
}

export function toggleTheme(): void {
  localStorage.setItem(KEY, theme.dark ? 'light' : 'dark');
  apply();
}
