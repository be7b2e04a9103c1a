import '@fontsource-variable/inter/wght.css';
import '@fontsource-variable/jetbrains-mono/wght.css';
import { mount } from 'svelte';
import App from './App.svelte';
import './app.css';
import { startTheme } from './state/theme.svelte';

startTheme();
mount(App, { target: document.getElementById('app')! });
